"""The folder a corpus lives in.

    manifest.json           points to the current generation and holds its checksum
    generations/NAME/       catalogue.jsonl and the chunk columns; never changed once there
    segments/NAME/          text.bin and chunks.npy of the documents one index run added; never changed either
    indexes/SLOT/MANIFEST/  what retrievers built (see `slots.py`)
    tokens/                 counted tokens

A run writes one new segment and one new generation beside the old ones, then replaces `manifest.json`. A crash before
that leaves the old state; what it had written is swept away by a later run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from ragctx.corpus.catalogue import Catalogue
from ragctx.corpus.chunking import RULES
from ragctx.corpus.files import replacing, sweep, write_whole, writing
from ragctx.corpus.lock import locked
from ragctx.corpus.table import Columns, Longs, gather
from ragctx.corpus.text import Source
from ragctx.errors import StoreCorrupt, StoreError
from ragctx.folders import private

# A store written by other rules is built anew.
FORMAT = f"1.{RULES}"
# Seconds an unreferenced folder stays, for processes that read the old manifest and have not opened its files yet.
GRACE = 600.0


@dataclass(frozen=True)
class State:
    """One generation, opened: its text files stay readable even if a later run removes them."""

    name: str
    folder: Path
    catalogue: Catalogue
    sources: dict[str, Source] = field(repr=False)

    @cached_property
    def columns(self) -> Columns:
        """The chunk columns, memory-mapped.

        Raises:
            StoreCorrupt: they are missing or damaged.
        """
        try:
            return Columns.load(self.folder)
        except (OSError, ValueError) as error:
            raise corrupt(self.folder.parent.parent, f"{self.folder.name} has no readable chunks") from error


def corrupt(folder: Path, what: str) -> StoreCorrupt:
    """The error that says how to rebuild."""
    return StoreCorrupt(f"the store {folder} is damaged ({what}): delete that folder and index again")


class Store:
    """Reads and replaces the state kept in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.segments = folder / "segments"

    def text_file(self, segment: str) -> Path:
        """The text file of a segment."""
        return self.segments / segment / "text.bin"

    def bounds(self, segment: str) -> Longs:
        """(start, end) of every chunk of a segment, shape (chunks, 2), memory-mapped."""
        bounds: Longs = np.load(self.segments / segment / "chunks.npy", mmap_mode="r")
        return bounds

    def open(self) -> State | None:
        """The current state; None where nothing was ever indexed.

        Raises:
            StoreCorrupt: a file is missing, cut or not what the manifest says. StoreError: it cannot be read.
        """
        for attempt in range(3):
            try:
                pointer = self._pointer()
                return self._opened(*pointer) if pointer else None
            except FileNotFoundError as error:
                # Another process may have moved on and tidied up between our two reads.
                if attempt == 2 or self._pointer() == pointer:
                    raise corrupt(self.folder, f"{error.filename} is missing") from error
            except OSError as error:
                raise StoreError(f"cannot read {self.folder} ({error.strerror}): check its permissions") from error
        return None

    @contextlib.contextmanager
    def changing(self, wait: float | None = None) -> Iterator[None]:
        """Hold the store's lock; rubbish of dead processes is removed first.

        Raises:
            StoreLocked: another process holds it. StoreFull, StoreError: the folder cannot be written.
        """
        with writing(self.folder):
            private(self.folder)
            with locked(self.folder / "lock", wait):
                for name in ("", "generations", "segments", "tokens"):
                    sweep(private(self.folder / name))
                yield

    def commit(self, catalogue: Catalogue) -> State:
        """Make a catalogue the current state."""
        name = f"g{uuid.uuid4().hex[:12]}"
        lines = b"".join(catalogue.lines())
        with replacing(self.folder / "generations" / name) as folder:
            (folder / "catalogue.jsonl").write_bytes(lines)
            gather(catalogue.rows, self.bounds).save(folder)
        sizes = self._sizes(name, catalogue)
        pointer = {"format": FORMAT, "generation": name, "checksum": _checksum(lines), "sizes": sizes}
        write_whole(self.folder / "manifest.json", json.dumps(pointer).encode())
        self._tidy(name, catalogue)
        return State(name, self.folder / "generations" / name, catalogue, self._sources(catalogue))

    def _sources(self, catalogue: Catalogue) -> dict[str, Source]:
        return {name: Source(self.text_file(name)) for name in sorted(catalogue.segments)}

    def _sizes(self, generation: str, catalogue: Catalogue) -> dict[str, int]:
        """Bytes of every file of a state, so that one that was cut is noticed when the store is opened."""
        folders = [self.folder / "generations" / generation, *(self.segments / name for name in catalogue.segments)]
        files = (file for folder in folders for file in folder.iterdir())
        return {file.relative_to(self.folder).as_posix(): file.stat().st_size for file in files}

    def _pointer(self) -> tuple[str, str, dict[str, int]] | None:
        try:
            found = json.loads((self.folder / "manifest.json").read_bytes())
            if found["format"] != FORMAT:
                raise corrupt(self.folder, f"format {found['format']}, this version reads {FORMAT}")
            return found["generation"], found["checksum"], found["sizes"]
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise corrupt(self.folder, "manifest.json is not readable") from error

    def _opened(self, name: str, checksum: str, sizes: dict[str, int]) -> State:
        for file, size in sizes.items():
            if (self.folder / file).stat().st_size != size:
                raise corrupt(self.folder, f"{file} is not as long as it was written")
        folder = self.folder / "generations" / name
        lines = (folder / "catalogue.jsonl").read_bytes()
        if _checksum(lines) != checksum:
            raise corrupt(self.folder, "the catalogue is not the one the manifest names")
        catalogue = Catalogue.read(iter(lines.splitlines()))
        return State(name, folder, catalogue, self._sources(catalogue))

    def _tidy(self, current: str, catalogue: Catalogue) -> None:
        """Remove what no state refers to, once readers of the state before have surely opened it."""
        keep = {current, *catalogue.segments}
        for kind in ("generations", "segments"):
            for folder in (self.folder / kind).iterdir():
                if folder.name not in keep and time.time() - folder.stat().st_mtime > GRACE:
                    shutil.rmtree(folder, ignore_errors=True)


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
