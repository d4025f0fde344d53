"""Where retrievers keep their indexes: one folder a name and manifest, swapped in whole."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ragctx.corpus.files import replacing, sweep, writing
from ragctx.corpus.lock import locked
from ragctx.folders import private

_DONE = "complete"


@dataclass(frozen=True, slots=True)
class IndexSlot:
    """The place of one index of one corpus.

    Attributes:
        folder: holds one folder for each manifest the index was built for.
        manifest: the corpus's manifest now.
    """

    folder: Path
    manifest: str

    @classmethod
    def at(cls, parent: Path, name: str, manifest: str) -> IndexSlot:
        """The slot of a name under a folder; characters that no file name should have are replaced."""
        safe = re.sub(r"[^\w.@+=-]+", "-", name).strip(".")[:80]
        mark = "" if safe == name else "-" + hashlib.sha256(name.encode()).hexdigest()[:8]
        return cls(parent / (safe + mark), manifest)

    @property
    def current(self) -> Path | None:
        """The index built for the corpus as it is now; None where there is none yet."""
        here = self.folder / self.manifest
        return here if (here / _DONE).exists() else None

    @property
    def previous(self) -> Path | None:
        """The newest complete index of an older manifest, to take unchanged parts from; None where there is none."""
        done = [mark for mark in self.folder.glob(f"*/{_DONE}") if mark.parent.name != self.manifest]
        return max(done, key=lambda mark: mark.stat().st_mtime_ns).parent if done else None

    def replace(self, write: Callable[[Path], None]) -> Path:
        """Build the index and make it current: whole, or not at all.

        A process that builds the same index meanwhile is waited for, and its result taken. The index before
        stays until the next swap, so whoever reads it goes on undisturbed.

        Args:
            write: fills the empty folder it is given.

        Returns:
            The folder of the finished index.

        Raises:
            StoreLocked: another process kept on building. StoreFull, StoreError: it cannot be written.
        """
        wanted = self.current is None
        with writing(self.folder):
            private(self.folder)
            with locked(self.folder / "lock"):
                if wanted and (built := self.current) is not None:
                    return built
                sweep(self.folder)
                before = self.current or self.previous
                with replacing(self.folder / self.manifest) as half:
                    write(half)
                    (half / _DONE).touch(mode=0o600)
                self._tidy(keep={self.manifest, before.name if before else ""})
        return self.folder / self.manifest

    def _tidy(self, keep: set[str]) -> None:
        for mark in self.folder.glob(f"*/{_DONE}"):
            if mark.parent.name not in keep and not mark.parent.name.endswith(".tmp"):
                shutil.rmtree(mark.parent, ignore_errors=True)
