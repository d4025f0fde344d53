"""Keeps of a context the sentences that the question needs, as one ranker weighs them in one pass.

The idea is Provence's (Chirkova et al., ICLR 2025, arXiv:2501.16214): a cross-encoder that ranks passages also says of
each sentence, read in its passage, whether it is needed. Any ranker that weighs units serves: the one that comes with
ragctx, OpenProvence checkpoints, Naver's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

from ragctx.compressors.cutting import left_out
from ragctx.compressors.filling import Filling, Place
from ragctx.compressors.ranks import fused
from ragctx.compressors.sentences_bm25 import BM25Sentences
from ragctx.compressors.weighing import Weighed, able, weigh
from ragctx.errors import ConfigError
from ragctx.models import Models
from ragctx.types import Context, Line, Passage, Question, Range
from ragctx.types.costs import ZERO
from ragctx.work import Work

Order = Literal["given", "document", "relevance"]
# Tokens of a sentence, about, and those that a ranker puts around a pair.
_SENTENCE, _MARKS = 20, 4
# How many fewer tokens a ranker may count than the reader, and how many more it reads where windows overlap.
_FEWER, _OVERLAP = 0.4, 2.5
_PRUNED = "pruned: {:.2f} likely needed"
_FOREIGN = "sentences are chosen by their words (BM25): {} does not know the letters of the question"
_OVER = "over the token budget: {:.2f} likely needed"


@dataclass(frozen=True, slots=True)
class Provence:
    """Prunes whole sentences, by a threshold or only as far as the budget demands.

    Without a threshold the likeliest sentences of all passages fill the budget: one rule for every kind of text, where
    a threshold has to be found for each. With one, less likely sentences go even where there is room. Either way the
    best sentence of every relevant passage comes first, and the headings above a sentence that is kept are kept where
    they fit: the passage's title, and the section's. The document's name is told to the ranker, and is not put into
    the text. A sentence that is longer than the whole budget is weighed in parts, so that one of them stays.

    `signals` say how it went: "all_pruned" is 1 where nothing reached the threshold and no passage the floor: with a
    threshold nothing is left then; a budget is filled all the same, and whoever reads may decide to decline.
    "relevance_max" is the best passage's relevance, "kept_share" the share of sentences that is kept, out of
    "sentences", of which "sentences_pruned" were not. Every sentence that is left out is in `dropped` with its reason.

    A ranker that cannot weigh sentences within a passage ranks each by itself; one that does not know the letters of
    the question is not asked, and BM25 chooses. A note says either. Without any ranker there is nothing to go by.

    Attributes:
        threshold: 0 to 1; keep sentences at least so likely to be needed. None: as many as the budget holds.
        order: of the passages: "given", "document" (by document and place) or "relevance" (best first, with the
            relevance as score). Sentences stay in the order of their text.
        keep_title: keep the headings above what is kept.
        floor: 0 to 1; the best sentence of a passage stays if the passage is at least so relevant.
        fuse: passages rank by the model's places and those they came in, together; False: by the model alone.
        room: tokens of which a piece of a table or a listing, which is weighed as one, is about half at most; by
            default the budget. Whoever asks about the same passages before the budget is known gives it here.

    Raises:
        ConfigError: an option makes no sense, or no model plays the role "ranker".

    Example:
        >>> from ragctx.models import ModelFacts
        >>> from ragctx.readers.scripted import Scripted
        >>> from ragctx.types import Span
        >>> from ragctx.work import run
        >>> text = "Pets are fine. The rent is ten crowns. Windows are washed in spring."
        >>> ranker = Scripted()
        >>> models = Models({"reader": ModelFacts("m"), "ranker": ranker.facts})
        >>> context = Context((Passage(text, (Span("lease", 0, len(text)),)),))
        >>> work = Provence().compress(Question("What is the rent?"), context, 9, models)
        >>> run(work, lambda requests: ranker.serve(requests, print)).passages[0].text
        'The rent is ten crowns.'
    """

    name: ClassVar[str] = "provence"

    threshold: float | None = None
    order: Order = "given"
    keep_title: bool = True
    floor: float = 0.5
    fuse: bool = True
    room: int | None = None

    def __post_init__(self) -> None:
        if self.order not in get_args(Order):
            raise ConfigError(f"no order is called {self.order!r}: there are {', '.join(get_args(Order))}")
        for name, value in (("threshold", self.threshold), ("floor", self.floor)):
            if value is not None and not 0 <= value <= 1:
                raise ConfigError(f"{name}={value} is no probability: give 0 to 1")

    def compress(self, question: Question, context: Context, budget: int, models: Models) -> Work[Context]:
        """A context of at most `budget` tokens by the reader's counter, of the sentences most likely needed."""
        able(models)
        ranker = models.of("ranker")
        if not ranker.reads(question.text):
            found = yield from BM25Sentences(keep_title=self.keep_title).compress(question, context, budget, models)
            return replace(found, notes=(*found.notes, _FOREIGN.format(ranker.name)))
        weighed, note = yield from weigh(question, context.passages, budget if self.room is None else self.room, models)
        ranks = fused([one.relevance for one in weighed], with_given=self.fuse)
        filling = Filling(weighed, models.reader.counter, budget, self.keep_title)
        kept = filling.fill(self._wanted(weighed, ranks))
        dropped = [out for i, one in enumerate(weighed) for out in left_out(one, kept[i], self._why)]
        return Context(
            self._ordered(dict(filling.passages()), weighed, ranks),
            (*context.dropped, *dropped),
            (*context.notes, *([note] if note else [])),
            {**context.signals, **self._signals(weighed, kept)},
        )

    def estimate(
        self, context_tokens: int, passages: int, question_tokens: int, budget: int, models: Models
    ) -> tuple[Line, ...]:
        """One request: the ranker reads every passage with the question before it.

        The tokens are counted as the reader does, and the ranker may count others; windows over a long passage overlap.
        """
        able(models)
        read = context_tokens + passages * (question_tokens + _MARKS)
        if not models.can("ranker", "Prune"):  # every sentence once more, with the question before it
            read += context_tokens + context_tokens // _SENTENCE * (question_tokens + _MARKS)
        calls = Range.exactly(min(1, passages))
        return (Line("ranker", Range(_FEWER * context_tokens, read, _OVERLAP * read), ZERO, calls),)

    def _wanted(self, weighed: Sequence[Weighed], ranks: Sequence[int]) -> list[Place]:
        """The units that may be kept, most wanted first: the best of each relevant passage, then the likeliest.

        Headings come along with what stands under them; by themselves they are wanted only where everything fits.
        """
        first = [(i, one.best) for i, one in enumerate(weighed) if one.units and one.relevance >= self.floor]
        rest = [
            (i, j) for i, one in enumerate(weighed) for j, keep in enumerate(one.keeps)
            if keep >= (self.threshold or 0.0)
        ]  # fmt: skip
        place = {i: rank for rank, i in enumerate(ranks)}

        def likelier(at: Place) -> tuple[bool, float, int, int]:
            i, j = at
            return self.keep_title and weighed[i].units[j].heading, -weighed[i].keeps[j], place[i], j

        return list(dict.fromkeys([*sorted(first, key=likelier), *sorted(rest, key=likelier)]))

    def _ordered(
        self, passages: dict[int, Passage], weighed: Sequence[Weighed], ranks: Sequence[int]
    ) -> tuple[Passage, ...]:
        if self.order == "relevance":
            return tuple(replace(passages[i], score=weighed[i].relevance) for i in ranks if i in passages)
        if self.order == "document":
            return tuple(sorted(passages.values(), key=lambda passage: passage.spans))
        return tuple(passages.values())

    def _why(self, keep: float) -> str:
        """Why a sentence so likely needed is not kept."""
        return (_OVER if self.threshold is None or keep >= self.threshold else _PRUNED).format(keep)

    def _signals(self, weighed: Sequence[Weighed], kept: Sequence[set[int]]) -> dict[str, float]:
        total, left = sum(len(one.units) for one in weighed), sum(map(len, kept))
        best = max((one.relevance for one in weighed), default=0.0)
        least = self.floor if self.threshold is None else self.threshold
        reached = best >= self.floor or any(keep >= least for one in weighed for keep in one.keeps)
        return {
            "all_pruned": float(bool(weighed) and not reached),
            "relevance_max": best,
            "kept_share": left / total if total else 1.0,
            "sentences": float(total),
            "sentences_pruned": float(total - left),
        }
