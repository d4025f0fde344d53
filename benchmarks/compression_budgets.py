"""Whether budgets hold: over samples of every set, what compressors leave against what they were allowed."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from compression_rig import METHODS, SENTENCES, Rig, make, rig, words
from compression_sources import Source, sets, sources

from ragctx.compressors.units import sentences
from ragctx.errors import InputError
from ragctx.models import Counter
from ragctx.types import Context, Passage, Span

SHARES = (0.5, 0.25, 0.1)
LEAST = 200
"""Tokens of a budget from which on it has to be filled."""
FILL = 0.95


@dataclass(frozen=True, slots=True)
class Held:
    """One compression: `tokens` are left of the `budget`; `unused` units would still have fitted."""

    name: str
    budget: int
    tokens: int
    unused: int = 0

    @property
    def fill(self) -> float:
        """The share of the budget that is used."""
        return self.tokens / self.budget


def measure(wanted: argparse.Namespace) -> dict[str, object]:
    """Overshoots and fill by compressor; sets that have no texts are named."""
    held: list[Held] = []
    skipped: dict[str, str] = {}
    with rig(wanted) as models:
        for name in sets(wanted.data):
            try:
                some = sources(wanted.data, name, wanted.samples, wanted.source, models.models)
            except InputError as nothing:
                skipped[name] = str(nothing)
                continue
            if not some:
                skipped[name] = "no question with a text and an answer"
            held += [one for source in some for one in _held(source, models, wanted)]
    return told(held) | {"budget_sets_skipped": skipped, "budget_shares": SHARES}


def _held(source: Source, models: Rig, wanted: argparse.Namespace) -> Iterator[Held]:
    counter, whole = models.models.reader.counter, source.tokens(models.models)
    by_word = words(wanted.llmlingua2) | {"tcra-semantic": make("tcra-semantic")}
    ways = {name: METHODS[name] for name in SENTENCES} | by_word
    for name, compressor in ways.items():
        if name in ("embedding-sentences", "tcra-semantic") and not models.models.has("encoder"):
            continue
        for share in SHARES:
            budget = int(share * whole)
            if budget < 1:
                continue
            work = models.work(name, compressor(), source.question, source.context, budget)
            found = models.engine.run(work).result()
            tokens = counter.count("\n\n".join(passage.text for passage in found.passages))
            left = unused(source.context, found, counter, budget) if name in SENTENCES else 0
            yield Held(name, budget, tokens, left)


def unused(given: Context, found: Context, counter: Counter, budget: int) -> int:
    """How many sentences are left out though each, put in its place, would still fit."""
    held = {name: _sorted(found, name) for name in {span.document for span in given.spans}}
    texts = [_narrowed(passage, held) for passage in given.passages]
    count = 0
    for number, passage in enumerate(given.passages):
        for start, end in sentences(passage.text, budget):
            with_it = _narrowed(passage, held, (start, end))
            if passage.text[start:end].strip() and len(with_it) > len(texts[number]):
                every = [*texts[:number], with_it, *texts[number + 1 :]]
                count += counter.count("\n\n".join(text for text in every if text)) <= budget
    return count


def _sorted(found: Context, name: str) -> list[Span]:
    return sorted(span for span in found.spans if span.document == name)


def _narrowed(passage: Passage, held: Mapping[str, Sequence[Span]], more: tuple[int, int] | None = None) -> str:
    """What is kept of a passage, and a range of its text more."""
    places, at = ([more] if more else []), 0
    for before, span in zip((None, *passage.spans), passage.spans, strict=False):
        at += before is not None and before.end < span.start
        for one in held[span.document]:
            first, last = max(one.start, span.start), min(one.end, span.end)
            if first < last:
                places.append((first - span.start + at, last - span.start + at))
        at += len(span)
    return passage.narrowed(places).text if places else ""


def told(held: Sequence[Held]) -> dict[str, object]:
    """The figures of many compressions; fill is that of compressors that drop words, where it has to be reached."""
    filled = [one.fill for one in held if one.name not in SENTENCES and one.budget >= LEAST]
    names = list(dict.fromkeys(one.name for one in held))
    return {
        "budget_runs": len(held),
        "budget_overshoots": sum(one.tokens > one.budget for one in held),
        "budget_fill": round(min(filled), 4) if filled else None,
        "budget_fill_mean": round(fmean(filled), 4) if filled else None,
        "budget_filled": sum(fill >= FILL for fill in filled),
        "budget_to_be_filled": len(filled),
        "budget_unused_units": sum(one.unused for one in held),
        "budget_by_compressor": {name: _by([one for one in held if one.name == name]) for name in names},
    }


def _by(mine: Sequence[Held]) -> dict[str, Any]:
    large = [one.fill for one in mine if one.budget >= LEAST]
    return {
        "runs": len(mine),
        "overshoots": sum(one.tokens > one.budget for one in mine),
        "fill_lowest": round(min(large), 4) if large else None,
        "fill_mean": round(fmean(large), 4) if large else None,
        "unused_units": sum(one.unused for one in mine),
    }
