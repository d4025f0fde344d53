"""A benchmark in parts: each is measured by itself and stored at once, or taken from a run that is stored."""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

Figures = dict[str, object]


def null(why: str, *names: str) -> Figures:
    """Figures that cannot be measured here, and why."""
    return {**dict.fromkeys(names), "why_null": dict.fromkeys(names, why)}


def measured(
    wanted: argparse.Namespace,
    result: dict[str, Any],
    names: Iterable[str],
    measure: Callable[[str], Figures],
    promised: Mapping[str, Sequence[str]],
    stored: Path,
    also: Callable[[str], Figures] = lambda name: {},
) -> Figures:
    """Every part that is asked for; one that cannot run does not lose the others' figures.

    Args:
        wanted: `store`, `only` and `quick` are looked at.
        result: its head, and the parts that are known.
        names: of all parts.
        measure: the figures of a part.
        promised: the figures of each, which are null where it fails.
        stored: the full run that a quick one takes from what it cannot measure.
        also: what is told of a part besides its date, seconds and figures.
    """
    for name in wanted.only or names:
        if name in result["parts"]:
            continue
        start = time.perf_counter()
        try:
            part = measure(name)
        except Exception as error:  # noqa: BLE001 - see above
            traceback.print_exc()
            part = null(f"{type(error).__name__}: {error}", *promised.get(name, (name,)))
        lacking: Any = part.pop("why_null", {})
        seconds = round(time.perf_counter() - start)
        result |= part
        result["why_null"] |= lacking
        if not lacking:  # what is null is tried again
            how = {"date": str(date.today()), "seconds": seconds}
            result["parts"][name] = how | also(name) | {"figures": list(part)}
        if wanted.store:
            written(wanted.store, result)
        print(f"{name}: {seconds} s", file=sys.stderr)
    return with_stored(result, json.loads(stored.read_text()) if wanted.quick and stored.exists() else {})


def resumed(head: Figures, known: dict[str, Any], leave: Iterable[str] = ()) -> dict[str, Any]:
    """A result to begin with: its head, and the parts of an earlier one without those that are left out."""
    parts = {name: part for name, part in known.get("parts", {}).items() if name not in leave}
    figures = {name: known[name] for part in parts.values() for name in part["figures"]}
    return head | figures | {"parts": parts, "why_null": {}}


def with_stored(result: Figures, stored: Figures) -> Figures:
    """A result whose nulls come from a stored one where that knows them; `stored` tells which, and of when they are."""
    nulls: Any = result["why_null"]
    taken = [name for name in nulls if stored.get(name) is not None]
    of = "" if stored.get("weights") == result.get("weights") else ", with other weights"
    return (
        result
        | {name: stored[name] for name in taken}
        | {"why_null": {name: why for name, why in nulls.items() if name not in taken}}
        | {"stored": {name: f"{_dated(stored, name)}{of}" for name in taken}}
    )


def _dated(stored: Figures, name: str) -> object:
    """When a stored figure was measured: its part may be older than the whole."""
    known: Any = stored.get("parts", {})
    return next((part["date"] for part in known.values() if name in part["figures"]), stored["date"])


def written(file: Path, result: Figures) -> None:
    """Write a file at once: a kill leaves the old one or the new one."""
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    partial.replace(file)


def told(wanted: argparse.Namespace, result: Figures) -> None:
    """Store and print the whole."""
    if wanted.store:
        written(wanted.store, result)
    print(json.dumps(result, indent=None if wanted.json else 2))
