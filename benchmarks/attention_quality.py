"""Needles in long texts by every rule, in steps of a chunk and in one; `auto` against dense attention, paired.

Each haystack is read once by each policy for all questions that come after it, and once more for each question that
comes before it. A cell is what one policy answers about one haystack. Only kinds of questions of a length and chunk at
which dense attention scores enough are compared.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

import attention_calibrated
import numpy as np
from attention_cells import Cells, Found
from attention_clock import rounded
from attention_needles import KINDS, haystack

from ragctx.attention.selection import RULES
from ragctx.attention.selection.mass import BINS, Kept
from ragctx.attention.selection.policy import Sparsity
from ragctx.evaluation.bootstrap import paired_bootstrap

if TYPE_CHECKING:
    from attention_engine import Rig

ENOUGH = 0.6  # that dense attention scores where it can be a measure of others
ANSWER = 32  # tokens
DENSE = "own"  # kernel of dense attention: as exact as vLLM's, see `errors`, and twice as fast
ROOM = 160  # tokens of a prompt besides its haystack
GATE = 1024  # of single rules, so that a prompt of 4,096 tokens is not dense altogether


@dataclass(frozen=True, slots=True)
class Length:
    """What is asked of prompts of a length.

    Attributes:
        tokens: of the prompt. haystacks: how many. after: questions of each kind after the text. before: before it.
        rules: whether every rule is asked, beside dense attention and `auto`.
    """

    tokens: int
    haystacks: int
    after: int
    before: int
    rules: bool


LENGTHS = (
    Length(4096, 10, 2, 2, True),
    Length(8192, 10, 2, 2, True),
    Length(16384, 10, 2, 2, False),
    Length(32768, 10, 5, 1, False),
)
TOY = (Length(1024, 2, 1, 1, True),)


def policies(only: Sequence[str] | None, toy: bool = False) -> dict[str, Sparsity | None]:
    """Dense attention, `auto`, and every rule at two budgets, by name."""
    found: dict[str, Sparsity | None] = {
        "dense": None,
        "auto": Sparsity.of({"gate": 256, "budget": 128} if toy else "auto"),
    }
    for rule in sorted({*RULES} - {*attention_calibrated.RULES}):
        size = "local" if rule == "streaming" else "budget"
        sized = any(field.name == size for field in fields(RULES[rule]))  # type: ignore[arg-type]
        for budget in ((128,) if toy else (1024, 2048)) if sized else (0,):
            told = {"rule": rule, "gate": 256 if toy else GATE} | ({size: budget} if sized else {})
            found[f"{rule}-{budget}" if sized else rule] = Sparsity.of(told)
    return {name: policy for name, policy in found.items() if not only or name in ("dense", *only)}


def measure(cells: Cells, wanted: argparse.Namespace) -> Found:
    """All cells, chunk by chunk, since the chunk is the engine's."""
    named = policies(wanted.rules, wanted.toy)
    lengths = [each for each in (TOY if wanted.toy else LENGTHS) if not wanted.lengths or each.tokens in wanted.lengths]
    rows: list[Found] = []
    for chunk in [128 if wanted.toy and chunk else chunk for chunk in wanted.chunks]:
        shelf = _Shelf(wanted.model, max(length.tokens for length in lengths), chunk)
        named |= _calibrated(cells, shelf, wanted)
        for length, name, seed, policy in _plan(lengths, named, wanted.seed):
            fingerprint = policy.fingerprint if policy else "dense"
            settings = asdict(length) | {
                "chunk": chunk,
                "policy": fingerprint,
                "haystack": seed,
                "model": shelf.model,
                "dense": DENSE,
            }
            label = f"{length.tokens}-{chunk or 'whole'}-{name}-{seed}"
            found = cells.cell("quality", label, settings, partial(answered, shelf.rig, length, policy, seed))
            told = {"length": length.tokens, "chunk": chunk, "policy": name, "haystack": seed}
            rows.append(told | found)
        shelf.close()
    return figures(rows)


def _calibrated(cells: Cells, shelf: _Shelf, wanted: argparse.Namespace) -> dict[str, Sparsity | None]:
    """The rules that know the model beforehand, if they are asked for."""
    if wanted.rules and not {*wanted.rules} & {*attention_calibrated.RULES}:
        return {}
    lengths = (600, 900) if wanted.toy else attention_calibrated.LENGTHS
    measure = partial(attention_calibrated.calibrated, shelf.rig, lengths)
    settings = {"model": shelf.model, "lengths": lengths, "share": attention_calibrated.SHARE}
    found = cells.cell("quality", "calibration", settings | {"lazy": attention_calibrated.LAZY}, measure)
    made = attention_calibrated.policies(found, 256 if wanted.toy else GATE)
    return {name: policy for name, policy in made.items() if not wanted.rules or name in wanted.rules}


Planned = tuple[Length, str, int, Sparsity | None]


def _plan(lengths: Sequence[Length], named: Mapping[str, Sparsity | None], seed: int) -> Iterator[Planned]:
    """The cheap ones first; of one haystack all policies together, so that what is there is paired at any time."""
    for length in lengths:
        for number in range(length.haystacks):
            for name, policy in named.items():
                if length.rules or name in ("dense", "auto"):
                    yield length, name, seed + number, policy


def answered(rig_of: Callable[[], Rig], length: Length, policy: Sparsity | None, seed: int) -> Found:
    """What one policy answers about one haystack, and the attention mass that it kept."""
    rig = rig_of()
    watched = Watched(policy) if policy else None
    rig.attend(watched, DENSE)
    hay = haystack(rig.counter.count, min(length.tokens, rig.window - ANSWER) - ROOM, seed)
    after = hay.prompts([kind for kind in KINDS if kind != "question-first"], length.after)
    before = hay.prompts(["question-first"], length.before)
    groups = [after, *([one] for one in before)]
    answers = [
        {"kind": asked.kind, "score": asked.score(text), "answer": text, "wanted": list(asked.answers)}
        for group in groups
        if group
        for (asked, _), text in zip(group, rig.ask([rig.prompt(said) for _, said in group], ANSWER), strict=True)
    ]
    counts = rig.counts.told()
    return {"answers": answers, "attention": counts, "kept": watched.told() if watched else None}


class Watched:
    """A policy, and the attention mass that its rows keep: of rows and layers that may be sparse, none other."""

    def __init__(self, policy: Sparsity) -> None:
        from ragctx.attention.selection.mass import Masses

        self.policy, self.masses, self.kept = policy, Masses(), Kept()
        self.fingerprint = policy.fingerprint

    def index(self, seen: Sequence[Any]) -> Any:
        """The policy's, looked at."""
        from ragctx.attention.selection.mass import shares

        index = self.policy.index(seen)
        if index is None:
            return None
        for request, each in enumerate(seen):
            for place in self.masses.places(each.extent):
                if place >= self.policy.gate and each.extent.queries > 1:
                    tile = place // 64 - each.extent.base
                    rows = [index.row(request, head, tile) for head in range(index.heads)]
                    self.kept.add(shares(each, place, rows).numpy().astype(np.float64))
        return index

    def told(self) -> Found:
        """The figure as plain values, with the filled places of its histogram."""
        filled = {str(place): int(count) for place, count in enumerate(self.kept.bins) if count}
        return {"rows": self.kept.rows, "total": self.kept.total, "bins": filled}


def kept(rows: Sequence[Found]) -> Kept:
    """The figures of several cells as one."""
    found = Kept()
    for row in rows:
        bins = np.zeros(BINS, np.int64)
        for place, count in row["bins"].items():
            bins[int(place)] = count
        found = found + Kept(row["rows"], row["total"], bins)
    return found


def figures(rows: Sequence[Found]) -> Found:
    """Scores by cell, and every policy against dense attention where that scores enough."""
    scores = _scores(rows)
    gaps = {name: gap(scores, name) for name in {row["policy"] for row in rows} if name != "dense"}
    told = [
        {"length": length, "chunk": chunk, "kind": kind, "policy": policy, "questions": len(each)}
        | {"score": rounded(sum(each.values()) / len(each)), "counts": counts(scores, (length, chunk, kind))}
        for (length, chunk, kind, policy), each in sorted(scores.items())
    ]
    found: Found = {"quality_rows": told, "quality_gaps": dict(sorted(gaps.items())), "kept_mass": _masses(rows)}
    if gaps.get("auto"):
        found |= {"policy_quality_gap": gaps["auto"]["gap"], "policy_quality_interval": gaps["auto"]["interval"]}
        found |= {"quality_pairs": gaps["auto"]["pairs"]}
    if "auto" in found["kept_mass"]:
        found["kept_mass_p5"] = found["kept_mass"]["auto"]["p5"]
    return found | _nulls(found)


Cell = tuple[int, int, str]
Scores = dict[tuple[int, int, str, str], dict[tuple[int, int], float]]


def _scores(rows: Sequence[Found]) -> Scores:
    """By length, chunk, kind and policy: the score of each question, by haystack and number."""
    scores: Scores = {}
    for row in rows:
        ordered = sorted(enumerate(row["answers"]), key=lambda each: (each[1]["kind"], each[0]))
        for kind, answers in groupby(ordered, key=lambda each: each[1]["kind"]):
            own = scores.setdefault((row["length"], row["chunk"], kind, row["policy"]), {})
            own |= {(row["haystack"], number): answer["score"] for number, answer in answers}
    return scores


def counts(scores: Scores, cell: Cell) -> bool:
    """Whether dense attention scores enough there."""
    dense = scores.get((*cell, "dense"), {})
    return bool(dense) and sum(dense.values()) / len(dense) >= ENOUGH


def gap(scores: Scores, policy: str) -> Found:
    """How many points a policy scores below dense attention, over all questions of the cells that count.

    Questions of a haystack are not independent: the interval is a bootstrap over haystacks.
    """
    ours, theirs, groups = [], [], []
    cells: list[Cell] = [key[:3] for key in scores if key[3] == policy and counts(scores, key[:3])]
    for cell in sorted(cells):
        dense = scores[*cell, "dense"]
        for question, score in scores[*cell, policy].items():
            if question in dense:
                ours.append(score)
                theirs.append(dense[question])
                groups.append(f"{cell[0]} {question[0]}")
    if not ours:
        return {}
    found = paired_bootstrap(ours, theirs, groups)
    return {
        "gap": rounded(-100 * found.difference),
        "interval": [rounded(-100 * found.high), rounded(-100 * found.low)],
        "pairs": found.questions,
        "haystacks": found.groups,
        "cells": len(cells),
    }


def _masses(rows: Sequence[Found]) -> Found:
    """Kept mass by policy, over all of its cells and by length."""
    found: Found = {}
    sparse = [row for row in rows if row["kept"] and row["kept"]["rows"]]
    for name in sorted({row["policy"] for row in sparse}):
        own = [row for row in sparse if row["policy"] == name]
        whole = kept([row["kept"] for row in own])
        by_length = {
            str(length): kept([row["kept"] for row in own if row["length"] == length]).percentile(5)
            for length in sorted({row["length"] for row in own})
        }
        found[name] = {"rows": whole.rows, "mean": rounded(whole.mean), "p5": whole.percentile(5)}
        found[name] |= {"p5_by_length": by_length}
    return found


def _nulls(found: Found) -> Found:
    """What these cells do not tell, and why."""
    why = {
        "policy_quality_gap": f"no cell in which dense attention scores {ENOUGH} was answered by auto too",
        "quality_pairs": "no cell that counts",
        "kept_mass_p5": "no prompt was long enough for the policy auto",
    }
    absent = {name: reason for name, reason in why.items() if name not in found}
    return {**dict.fromkeys(absent), "why_null": absent} if absent else {}


class _Shelf:
    """The engine of one chunk, loaded when it is asked for."""

    def __init__(self, model: str, longest: int, chunk: int) -> None:
        from ragctx.readers.local_weights import find

        self._name, self._chunk, self._rig = model, chunk, None
        checkpoint = find(model)
        self.model = checkpoint.identity
        self._window = min(longest + ANSWER, max(checkpoint.window or longest, longest))

    def rig(self) -> Rig:
        """The engine."""
        if self._rig is None:
            from attention_engine import Rig

            self._rig = Rig.open(self._name, self._window, chunk=self._chunk)
        return self._rig

    def close(self) -> None:
        """Release the engine, where there is one."""
        if self._rig is not None:
            self._rig.close()
