"""Negatives that the model itself falls for: the wrong passages that an earlier run takes for the answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ragctx.encoders.extractive import open_ranker
from ragctx.errors import ConfigError
from ragctx.work import Relevances, Rerank, raised
from training.reader.examples import Example, Passage

Weigh = Callable[[str, Sequence[Passage]], list[float]]
"""Question and passages -> how likely each passage answers."""

DEPTH = 4
"""How many of a question's negatives are weighed: the hardest ones by words."""


def weigher(folder: Path) -> Weigh:
    """The packaged weights of an earlier run (its `OUT/weights`), run as the product runs them."""
    model = open_ranker(str(folder))

    def weigh(question: str, passages: Sequence[Passage]) -> list[float]:
        texts, titles = tuple(p.text for p in passages), tuple(p.title for p in passages)
        [reply] = model.serve([Rerank(question, texts, titles=titles)], lambda place, text: None)
        weighed = raised(reply)
        assert isinstance(weighed, Relevances)
        return list(weighed.values)

    return weigh


def hardest(examples: Sequence[Example], weigh: Weigh, file: Path, depth: int = DEPTH) -> list[Example]:
    """The examples with their negatives in the model's order, and without those it likes better than the gold passage.

    What beats the gold passage is often an unmarked right answer, and never teaches what is wrong (positive-aware
    mining: NV-Retriever, arXiv:2407.15831). Negatives beyond `depth` follow unweighed, in the order they had.

    Args:
        examples: with negatives, the hardest by words first.
        weigh: how likely passages answer, by the model.
        file: a line for each example weighed; a killed run goes on behind the last line.
        depth: negatives that are weighed.

    Raises:
        ConfigError: the file is of other examples.
    """
    told = _told(file)
    if len(told) > len(examples):
        raise ConfigError(
            f"{file} weighs {len(told)} questions, not these {len(examples)}: remove it, or name a new --out"
        )
    with file.open("a", encoding="utf-8") as out:
        for example in examples[len(told) :]:
            weights = weigh(example.question, [example.passage, *example.negatives[:depth]])
            told.append([round(weight, 4) for weight in weights])  # as a run that is gone on with will read them
            out.write(json.dumps(told[-1]) + "\n")
    return [replace(e, negatives=tuple(_ordered(e, weights))) for e, weights in zip(examples, told, strict=True)]


def _told(file: Path) -> list[list[float]]:
    """The whole lines of a file; a line that a kill cut off is weighed again."""
    if not file.exists():
        return []
    lines = file.read_text(encoding="utf-8").split("\n")[:-1]
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return [json.loads(line) for line in lines]


def _ordered(example: Example, weights: Sequence[float]) -> Iterator[Passage]:
    gold, *rest = weights
    weighed = sorted(zip(rest, example.negatives, strict=False), key=lambda pair: -pair[0])
    yield from (passage for weight, passage in weighed if weight <= gold)
    yield from example.negatives[len(rest) :]
