"""The counts of a running engine in a file, for where no program can ask: a server's engine is another process."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path

from ragctx.attention.vllm.counts import Counts
from ragctx.attention.vllm.layer import Layer

log = logging.getLogger(__name__)
PAUSE = 0.5  # seconds from a step to what it did being in the file


@dataclass(slots=True)
class Report:
    """One file and the layers it tells of.

    Attributes:
        path: where it is written, whole or not at all.
        layers: of the engine.
    """

    path: Path
    layers: list[Layer] = field(default_factory=list)
    _waiting: threading.Timer | None = None

    def note(self) -> None:
        """Something is about to happen: write soon, and once for all that happens until then."""
        if self._waiting is None:
            self._waiting = threading.Timer(PAUSE, self.write)
            self._waiting.daemon = True
            self._waiting.start()

    def write(self) -> None:
        """Write what the layers counted so far."""
        self._waiting = None
        part = self.path.with_name(f".{self.path.name}.part")
        try:
            part.write_text(json.dumps(self.told()), "utf-8")
            part.replace(self.path)
        except OSError as refused:
            log.warning("the attention report cannot be written to %s: %s", self.path, refused)

    def told(self) -> dict[str, object]:
        """What the file says."""
        options = self.layers[0].options
        total = Counts.total(layer.counts for layer in self.layers)
        return {"policy": options.fingerprint if options else "none", "layers": len(self.layers), **total.told()}


_reports: dict[str, Report] = {}


def reported(layer: Layer) -> None:
    """Have a layer in its engine's report, where the engine wants one."""
    if layer.options is not None and layer.options.report:
        path = layer.options.report
        _reports.setdefault(path, Report(Path(path).absolute())).layers.append(layer)


def noted() -> None:
    """A step begins."""
    for report in _reports.values():
        report.note()
