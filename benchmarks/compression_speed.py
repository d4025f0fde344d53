"""How fast LongLLMLingua compresses, against the package on the same contexts, and how alike they rank and keep."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from statistics import fmean, geometric_mean
from typing import Any

import compression_peer
import numpy as np
from compression_rig import ITERATIVE, METHODS, OURS, scorer_of, serve
from compression_sources import MULTIHOP, Source, sources

from ragctx.compressors.longllmlingua import LongLLMLingua
from ragctx.contracts import Compressor
from ragctx.models import Models, pieces_of
from ragctx.types import Context, Passage
from ragctx.work import Scores, run

RATES = (0.5, 0.25)
AWAY = 200
"""Questions that are read to find contexts of a length."""


@dataclass(frozen=True, slots=True)
class Timed:
    """One compression.

    Attributes:
        seconds: from the context to what is left of it, models loaded. relevance: of each passage, where it was asked.
        kept: places (passage, token) of the tokens that are left.
    """

    seconds: float
    relevance: tuple[float, ...]
    kept: frozenset[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Row:
    """The same context compressed to the same rate in every way; `peer` is the package's row, where it was asked.

    Attributes:
        same: our fast form, asking in the package's words: without a frame, and with its statement.
    """

    tokens: int
    rate: float
    fast: Timed
    iterative: Timed
    exact: Timed
    peer: dict[str, Any] | None
    peer_kept: frozenset[tuple[int, int]]
    same: Timed | None


@dataclass(frozen=True, slots=True)
class Bench:
    """A scorer as both the reader, whose tokens count, and the model that is asked."""

    backend: Any

    @property
    def models(self) -> Models:
        """Facts of the one model."""
        return Models({"reader": self.backend.facts, "scorer": self.backend.facts})

    def timed(self, compressor: Compressor, source: Source, budget: int) -> Timed:
        """One compression by a form of LongLLMLingua."""
        ranked: list[float] = []

        def answer(requests: Sequence[Any]) -> list[Any]:
            replies = serve({"scorer": self.backend}, requests)
            means = (fmean(r.logprobs) for q, r in zip(requests, replies, strict=True) if _ranks(q, r))
            ranked.extend(means)
            return replies

        start = time.perf_counter()
        found = run(compressor.compress(source.question, source.context, budget, self.models), answer)
        seconds = time.perf_counter() - start
        return Timed(seconds, tuple(ranked), kept(source.context.passages, found, self.models))


def _ranks(request: Any, reply: Any) -> bool:
    return request.purpose == "rank" and isinstance(reply, Scores)


def kept(passages: Sequence[Passage], found: Context, models: Models) -> frozenset[tuple[int, int]]:
    """The scorer's tokens whose last visible character is left, by passage and number."""
    held = {(span.document, at) for span in found.spans for at in range(span.start, span.end)}
    pieces, places = pieces_of(models.reader), set()
    for number, passage in enumerate(passages):
        [span] = passage.spans
        for token, (start, end) in enumerate(pieces.pieces(passage.text)[1]):
            last = start + len(passage.text[start:end].rstrip())
            if last > start and (span.document, span.start + last - 1) in held:
                places.add((number, token))
    return frozenset(places)


def contexts(data: Path, lengths: Sequence[int], count: int, models: Models) -> Iterator[tuple[int, Source]]:
    """Of each length some questions: their own passages, and those of other questions up to the length."""
    every = sources(data, MULTIHOP, AWAY, 10**6, models)
    for place, (length, turn) in enumerate(product(lengths, range(count))):
        own, *others = every[place:] + every[:place]
        yield length, replace(own, context=Context(tuple(_filled([own, *others], length, models))), group=str(turn))


def _filled(found: Sequence[Source], length: int, models: Models) -> Iterator[Passage]:
    """Passages until they have so many tokens: short ones, which are ranked whole, and each once."""
    seen: set[str] = set()
    for passage in (passage for source in found for passage in source.context.passages):
        size = models.reader.counter.count(passage.text)
        if passage.text not in seen and size <= 400 and len(passage.spans) == 1:
            seen.add(passage.text)
            length -= size
            yield passage
        if length <= 0:
            return


def rows(wanted: argparse.Namespace) -> tuple[list[Row], dict[str, Any]]:
    """Every context at every rate, in every way; what the package says of itself."""
    fast, exact = Bench(scorer_of(wanted)), Bench(scorer_of(wanted, "float32"))
    asked = [
        compression_peer.Task(
            f"{length}|{rate}|{source.key}|{wanted.threads}", source, round(rate * source.tokens(fast.models))
        )
        for length, source in contexts(wanted.data, wanted.lengths, wanted.contexts, fast.models)
        for rate in RATES
    ]
    peer = None
    if wanted.peer:
        peer = compression_peer.compressed(wanted, asked, wanted.rows / "package_speed.jsonl" if wanted.rows else None)
    for bench in (fast, exact):
        bench.timed(METHODS[OURS](), asked[0].source, asked[0].target)  # reads the weights
    statement = peer.head.get("statement", "") if peer else ""
    made = [_row(task, fast, exact, peer, statement) for task in asked]
    fast.backend.close()
    exact.backend.close()
    return made, peer.head if peer else {}


def _row(
    task: compression_peer.Task, fast: Bench, exact: Bench, peer: compression_peer.Peer | None, statement: str
) -> Row:
    source, budget = task.source, task.target
    theirs = peer.rows[task.id] if peer else None
    same = (
        kept(source.context.passages, compression_peer.narrowed(task, theirs), fast.models) if theirs else frozenset()
    )
    tokens = source.tokens(fast.models)
    return Row(
        tokens,
        round(budget / tokens, 3),
        fast.timed(METHODS[OURS](), source, budget),
        fast.timed(METHODS[ITERATIVE](), source, budget),
        exact.timed(METHODS[OURS](), source, budget),
        theirs,
        same,
        fast.timed(LongLLMLingua(framed=False, statement=statement), source, budget) if statement else None,
    )


def speed(found: Sequence[Row], head: dict[str, Any], difference: float) -> dict[str, object]:
    """Tokens a second, ours over the package's: the geometric mean over lengths and rates."""
    ways = {"fast": "fast", "iterative": "iterative", "float32": "exact"}
    told: dict[str, object] = {
        f"{name}_tokens_per_s": round(geometric_mean(row.tokens / getattr(row, field).seconds for row in found))
        for name, field in ways.items()
    }
    listed = []
    for row in found:
        one = {"tokens": row.tokens, "rate": row.rate}
        one |= {f"{name}_s": round(getattr(row, field).seconds, 3) for name, field in ways.items()}
        listed.append(one | ({"package_s": row.peer["seconds"]} if row.peer else {}))
    both = [row for row in found if row.peer]
    if both:
        ratios = {n: geometric_mean(r.peer["seconds"] / getattr(r, f).seconds for r in both) for n, f in ways.items()}
        told |= {
            "speed_vs_llmlingua": round(ratios["fast"], 2),
            "speed_iterative_vs_llmlingua": round(ratios["iterative"], 2),
            "speed_float32_vs_llmlingua": round(ratios["float32"], 2),
            "package_tokens_per_s": round(geometric_mean(row.tokens / row.peer["seconds"] for row in both), 1),
            "package": {name: value for name, value in head.items() if name != "sample"},
            "same_weights_difference": difference,
        }
    return told | {"speed_rows": listed}


def ranks(found: Sequence[Row]) -> dict[str, object]:
    """Rank correlations of the documents' order, and how much of the kept tokens is the same."""
    exact = [correlation(row.fast.relevance, row.exact.relevance) for row in found]
    alike = [jaccard(row.fast.kept, row.exact.kept) for row in found]
    told: dict[str, object] = {
        "rank_correlation_float32": round(fmean(exact), 4),
        "rank_correlation_float32_lowest": round(min(exact), 4),
        "kept_overlap_float32": round(fmean(alike), 4),
        "kept_overlap_float32_lowest": round(min(alike), 4),
        "kept_overlap_iterative": round(fmean(jaccard(row.fast.kept, row.iterative.kept) for row in found), 4),
    }
    both = [(row, row.peer) for row in found if row.peer]
    if both:
        own = [correlation(row.fast.relevance, _relevance(peer["order"])) for row, peer in both]
        theirs = [correlation(row.same.relevance, _relevance(peer["order"])) for row, peer in both if row.same]
        told |= {
            "rank_correlation": round(fmean(theirs), 4) if theirs else None,
            "rank_correlation_lowest": round(min(theirs), 4) if theirs else None,
            "rank_correlation_own_words": round(fmean(own), 4),
            "kept_overlap_package": round(fmean(jaccard(row.fast.kept, row.peer_kept) for row, _ in both), 4),
            "kept_overlap_package_iterative": round(
                fmean(jaccard(row.iterative.kept, row.peer_kept) for row, _ in both), 4
            ),
        }
    return told


def _relevance(order: Sequence[int]) -> list[float]:
    """Of each document, the larger the earlier it ranks."""
    places = {number: rank for rank, number in enumerate(order)}
    return [-float(places[number]) for number in range(len(order))]


def correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's rank correlation; equal values share their ranks."""
    return float(np.corrcoef(_ranked(first), _ranked(second))[0, 1])


def _ranked(values: Sequence[float]) -> Any:
    found = np.asarray(values)
    return (found[:, None] > found).sum(1) + ((found[:, None] == found).sum(1) - 1) / 2


def jaccard(first: frozenset[Any], second: frozenset[Any]) -> float:
    """The share of what either holds that both hold."""
    return len(first & second) / len(first | second) if first | second else 1.0
