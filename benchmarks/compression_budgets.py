"""Whether budgets hold: over samples of every set, what compressors leave against what they were allowed."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from compression_rig import METHODS, SENTENCES, Rig, make, rig, words
from compression_sources import Source, sets, sources

from ragctx.compressors.cutting import cut
from ragctx.compressors.units import sentences, units
from ragctx.compressors.weighing import Weighed
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
                skipped[name] = str(nothing).removeprefix(f"{wanted.data}/")  # no machine's folder in a result
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
    """How many sentences are left out though each, put in its place, would still fit.

    Units are the compressor's own, written as it writes them; a heading above nothing is left out by its rules.
    """
    places = {name: _sorted(found, name) for name in {span.document for span in given.spans}}
    passages = [_weighed(passage, budget, counter) for passage in given.passages]
    kept = [_kept(one, places) for one in passages]
    texts = [_text(one, held) for one, held in zip(passages, kept, strict=True)]
    count = 0
    for number, one in enumerate(passages):
        for j, unit in enumerate(one.units):
            if j in kept[number] or unit.heading or not one.passage.text[unit.start : unit.end].strip():
                continue
            every = [*texts[:number], _text(one, kept[number] | {j}), *texts[number + 1 :]]
            count += counter.count("\n\n".join(text for text in every if text)) <= budget
    return count


def _weighed(passage: Passage, budget: int, counter: Counter) -> Weighed:
    parts = units(passage.text, sentences(passage.text, budget, counter))
    return Weighed(passage, parts, (0.0,) * len(parts), 0.0)


def _text(one: Weighed, kept: set[int]) -> str:
    return cut(one, kept).text if kept else ""


def _sorted(found: Context, name: str) -> list[Span]:
    return sorted(span for span in found.spans if span.document == name)


def _kept(one: Weighed, held: Mapping[str, Sequence[Span]]) -> set[int]:
    """Numbers of a passage's units that lie in what is kept."""
    ranges, at = [], 0
    for before, span in zip((None, *one.passage.spans), one.passage.spans, strict=False):
        at += before is not None and before.end < span.start
        for there in held[span.document]:
            first, last = max(there.start, span.start), min(there.end, span.end)
            if first < last:
                ranges.append((first - span.start + at, last - span.start + at))
        at += len(span)
    return {j for j, unit in enumerate(one.units) if any(a < unit.end and unit.start < b for a, b in ranges)}


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
