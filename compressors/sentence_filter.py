"""Keeps of a context the sentences that are most like the question, whatever tells how like they are.

The idea is DSLR's (Hwang et al., arXiv:2407.03627): divide into sentences, weigh each by itself, keep the best, and put
them back in the order of their text. It needs no weights that were trained for pruning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ragctx.compressors.cutting import left_out
from ragctx.compressors.filling import Filling, Place, tokens
from ragctx.compressors.units import sentences, units
from ragctx.compressors.weighing import Weighed
from ragctx.errors import ConfigError
from ragctx.models import Counter
from ragctx.types import Context

Ranges = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Divided:
    """A context's passages as sentences.

    Attributes:
        context: what came in.
        sentences: of each passage the characters [start, end) of its sentences; none of a blank one.
        fits: everything visible is within the budget, so that nobody needs to be asked.
    """

    context: Context
    sentences: tuple[Ranges, ...]
    fits: bool

    @classmethod
    def of(cls, context: Context, budget: int, counter: Counter) -> Divided:
        """The sentences of a context's passages; what the rules take for one sentence is never very long."""
        found = tuple(sentences(passage.text, budget, counter) for passage in context.passages)
        visible = [passage for passage, inside in zip(context.passages, found, strict=True) if inside]
        return cls(context, found, tokens(visible, counter) <= budget)

    @property
    def texts(self) -> list[list[str]]:
        """The sentences' texts, passage by passage."""
        pairs = zip(self.context.passages, self.sentences, strict=True)
        return [[passage.text[start:end] for start, end in found] for passage, found in pairs]

    def weighed(self, likeness: Sequence[Sequence[float]]) -> list[Weighed]:
        """Every passage with its sentences and headings, each as likely needed as its sentence is like the question."""
        return [
            Weighed(passage, parts, tuple(values[part.of] for part in parts), max(values, default=0.0))
            for passage, found, values in zip(self.context.passages, self.sentences, likeness, strict=True)
            for parts in [units(passage.text, found)]
        ]


@dataclass(frozen=True, slots=True)
class Rule:
    """What is kept of weighed sentences.

    Attributes:
        threshold: 0 to 1; less likely sentences go even where there is room. None: as many as the budget holds.
        titled: keep the headings above what is kept, where they fit too.
        likeness: what the numbers are called in reasons.

    Raises:
        ConfigError: the threshold is none.
    """

    threshold: float | None
    titled: bool
    likeness: str

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ConfigError(f"threshold={self.threshold} is no likeness: give 0 to 1, or None")

    def kept(self, divided: Divided, likeness: Sequence[Sequence[float]], budget: int, counter: Counter) -> Context:
        """The context of the sentences that reach the threshold and fit, in the order they were given.

        The budget is filled with the most like first; of equals those come first whose passage holds the best sentence,
        then the earlier. `signals` are "all_pruned" (1 where nothing reached the threshold), "relevance_max" (of the
        best sentence), "kept_share" and the numbers "sentences" and "sentences_pruned".

        Args:
            divided: the context's sentences.
            likeness: of each passage's sentences, 0 to 1.
            budget: most tokens.
            counter: of the model that will read.
        """
        weighed = divided.weighed(likeness)
        filling = Filling(weighed, counter, budget, self.titled)
        kept = filling.fill(self._wanted(weighed))
        context = divided.context
        dropped = [out for one, held in zip(weighed, kept, strict=True) for out in left_out(one, held, self._why)]
        return Context(
            tuple(passage for _, passage in filling.passages()),
            (*context.dropped, *dropped),
            context.notes,
            {**context.signals, **self._signals(weighed, kept)},
        )

    def _wanted(self, weighed: Sequence[Weighed]) -> list[Place]:
        """The sentences that may be kept, most wanted first; headings come along with what stands under them."""
        least = self.threshold or 0.0
        places = [(i, j) for i, one in enumerate(weighed) for j, keep in enumerate(one.keeps) if keep >= least]

        def order(at: Place) -> tuple[bool, float, float, bool, Place]:
            one, heading = weighed[at[0]], weighed[at[0]].units[at[1]].heading
            return self.titled and heading, -one.keeps[at[1]], -one.relevance, heading, at

        return sorted(places, key=order)

    def _why(self, keep: float) -> str:
        over = self.threshold is None or keep >= self.threshold
        return f"{'over the token budget' if over else 'pruned'}: {keep:.2f} {self.likeness}"

    def _signals(self, weighed: Sequence[Weighed], kept: Sequence[set[int]]) -> dict[str, float]:
        total, held = sum(len(one.units) for one in weighed), sum(map(len, kept))
        best = max((one.relevance for one in weighed), default=0.0)
        return {
            "all_pruned": float(bool(total) and best < (self.threshold or 0.0)),
            "relevance_max": best,
            "kept_share": held / total if total else 1.0,
            "sentences": float(total),
            "sentences_pruned": float(total - held),
        }
