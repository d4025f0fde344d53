"""Focus mode: of what a search found only the sentences are read that are nearest to the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, cast

import numpy as np

from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.models import Models
from ragctx.retrievers.asking import at_least, cut_off, searched
from ragctx.retrievers.grading import joined, sentences
from ragctx.retrievers.merging import NAMED
from ragctx.strategies.chunk_sizes import chunk_tokens
from ragctx.strategies.finding import search_line
from ragctx.types import Context, Dropped, Line, Passage, Question, Range, Span
from ragctx.types.costs import ZERO
from ragctx.work import Embed, Failure, Vectors, Work

ENCODER, PURPOSE = "encoder", "focus"


@dataclass(frozen=True, slots=True)
class FocusMode:
    """Keeps the sentences nearest to the question, in document order (focus mode, best practices of RAG, COLING 2025).

    All sentences of the passages found are ranked by the cosine of their vector with the question's, across passages.
    A passage is cut to those of its sentences that are among the best, in the order of the document, with their exact
    spans; passages stand by their best sentence. It costs vectors of some hundred sentences a question, and no call of
    a writing model. A sentence that is understood only from the one before it is lost without it.

    Attributes:
        over: the retriever that searches, or its name.
        depth: passages whose sentences are ranked, whatever the limit; no more are handed over.
        keep: sentences that are kept, of all passages together.

    Raises:
        ConfigError: a number below 1.

    Example:
        >>> FocusMode(keep=8).name
        'focus'
    """

    name: ClassVar[str] = "focus"

    over: str | Retriever = "hybrid"
    depth: int = 20
    keep: int = 40

    def __post_init__(self) -> None:
        at_least(self.name, depth=self.depth, keep=self.keep)

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Build or refresh the index of the retriever that searches."""
        yield from searched(self.over, Question("."), (), corpus, 1, models)

    def retrieve(self, question: Question, corpus: Corpus, limit: int, models: Models) -> Work[Context]:
        """At most `limit` passages, each cut to its best sentences; whole ones, and a note, where nobody can embed."""
        [found] = yield from searched(self.over, question, [question.text], corpus, self.depth, models)
        if not found.passages:
            return found
        units = [sentences(passage, corpus) for passage in found.passages]
        rows = [(p, unit) for p, own in enumerate(units) for unit in own]
        values, failure = yield from self._similar(
            question.text, [found.passages[p].text[a:b] for p, (a, b) in rows], models
        )
        if failure:
            kept, left = found.passages[:limit], found.passages[limit:]
            dropped = cut_off(left, kept, f"rank above {limit}") or found.dropped
            return replace(found, passages=kept, dropped=dropped, notes=(*found.notes, failure))
        chosen = _chosen([p for p, _ in rows], values, self.keep, limit)
        taken: dict[int, list[int]] = {}
        for row in chosen:
            taken.setdefault(rows[row][0], []).append(row)
        passages: list[Passage] = []
        gone: list[Span] = []
        for p, own in taken.items():
            keep = sorted(rows[row][1] for row in own)
            out = [unit for unit in units[p] if unit not in keep]
            passages.append(_cut(found.passages[p], keep, out, float(values[own[0]])))
            gone += [] if found.passages[p].derived or not out else found.passages[p].narrowed(out).spans
        unread = [passage for p, passage in enumerate(found.passages) if p not in taken]
        dropped = tuple(Dropped(span, "a sentence further from the question") for span in gone)[: 2 * NAMED]
        signals = {**found.signals, "focus_max": float(values[chosen[0]]), "focus_share": len(chosen) / len(rows)}
        return Context(
            tuple(passages), (*dropped, *cut_off(unread, passages, "no sentence among the best")), found.notes, signals
        )

    def lines(self, question: Question, corpus: Corpus, limit: int, models: Models) -> tuple[Line, ...]:
        """What the search asks, and vectors of its sentences where the encoder bills."""
        inner = search_line(self.over, question, models, corpus, self.depth)
        if not models.has(ENCODER) or models.of(ENCODER).prices is None:
            return inner
        view, counter = corpus.select(question.where), models.of(ENCODER).counter
        read = min(self.depth, len(view.chunks)) * chunk_tokens(view, counter) + counter.count(question.text)
        return (*inner, Line(ENCODER, Range(0, read, 2 * read + 8), ZERO, Range(0, 2, 2)))

    def _similar(self, asked: str, texts: Sequence[str], models: Models) -> Work[tuple[np.ndarray, str]]:
        """The cosine of each text with the question, or why there is none."""
        if not models.can(ENCODER, "Embed"):
            return np.zeros(0), "passages are whole, not focused: no model plays the role 'encoder'"
        replies = yield [
            Embed((asked,), query=True, role=ENCODER, purpose=PURPOSE, tolerant=True),
            Embed(tuple(texts), role=ENCODER, purpose=PURPOSE, tolerant=True),
        ]
        failed = next((reply for reply in replies if isinstance(reply, Failure)), None)
        if failed is not None:
            return np.zeros(0), f"passages are whole, not focused: the encoder failed ({failed.message})"
        query, rows = (cast("Vectors", reply).rows for reply in replies)
        return np.asarray(rows, np.float64) @ np.asarray(query[0], np.float64), ""


def _chosen(passages: Sequence[int], values: np.ndarray, keep: int, limit: int) -> list[int]:
    """Sentences by value, best first: at most `keep`, out of at most `limit` passages."""
    chosen: list[int] = []
    open_to: set[int] = set()
    for row in np.lexsort((np.arange(len(values)), -values)).tolist():
        if len(chosen) == keep:
            break
        if passages[row] in open_to or len(open_to) < limit:
            open_to.add(passages[row])
            chosen.append(row)
    return chosen


def _cut(passage: Passage, keep: Sequence[tuple[int, int]], out: Sequence[tuple[int, int]], score: float) -> Passage:
    whole = passage if not out else passage.narrowed(joined(keep, out))
    return replace(whole, score=score)
