"""What is read when: epochs of made-up questions, then of real ones, in an order that depends on the seed alone."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from training.reader.examples import Example
from training.reader.features import Pair, drawn

Group = tuple[Example, list[Pair]]


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over some examples.

    Attributes:
        negatives: wrong passages for each question.
    """

    name: str
    examples: Sequence[Example]
    negatives: int = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """All epochs, cut into windows that are resumed at.

    Attributes:
        batch: questions a step. window: steps drawn and sorted by length together.
    """

    epochs: Sequence[Epoch]
    seed: int = 0
    batch: int = 12
    window: int = 50

    def windows(self) -> int:
        """How many windows there are in all."""
        return sum(math.ceil(len(epoch.examples) / (self.batch * self.window)) for epoch in self.epochs)

    def steps(self) -> int:
        """How many steps there are in all."""
        return sum(math.ceil(len(epoch.examples) / self.batch) for epoch in self.epochs)

    def batches(self, tokenizer: Tokenizer, first: int) -> Iterator[tuple[int, str, list[list[Group]]]]:
        """(number, epoch's name, batches) of every window from `first` on."""
        number = 0
        for turn, epoch in enumerate(self.epochs):
            order = list(epoch.examples)
            random.Random(f"{self.seed} {turn}").shuffle(order)
            size = self.batch * self.window
            for start in range(0, len(order), size):
                if number >= first:
                    yield number, epoch.name, self._window(tokenizer, order[start : start + size], epoch, turn)
                number += 1

    def _window(self, tokenizer: Tokenizer, examples: list[Example], epoch: Epoch, turn: int) -> list[list[Group]]:
        chance = random.Random(f"{self.seed} {turn} {examples[0].id}")
        groups = [(example, drawn(tokenizer, example, chance, epoch.negatives)) for example in examples]
        groups.sort(key=lambda group: max(len(pair.ids) for pair in group[1]))
        batches = [groups[start : start + self.batch] for start in range(0, len(groups), self.batch)]
        chance.shuffle(batches)
        return batches


def rate(warm: float = 0.04) -> Callable[[float], float]:
    """Share of the full learning rate at a share of all steps: up in a line, then down along a cosine."""

    def at(progress: float) -> float:
        if progress < warm:
            return progress / warm
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warm) / (1 - warm))))

    return at
