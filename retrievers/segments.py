"""The folder of an index: one subfolder a segment, and a list, written last, of what each of them holds.

An unchanged segment of the older index is taken over by hard links, so that adding one file to a large corpus writes
that file's segment and the list, nothing else.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar, cast

import numpy as np

from ragctx.corpus import IndexSlot
from ragctx.errors import StoreCorrupt
from ragctx.retrievers.parts import SEGMENT, Part, Placed

FORMAT = 1
_LIST = "segments.json"
# More small segments than this are joined: each costs a look-up for every word of a question.
MOST_SMALL = 8
T = TypeVar("T")
Write = Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment as it will stand in the new index.

    Attributes:
        parts: what its rows are, in order. write: makes its folder, which does not exist yet.
    """

    parts: tuple[Placed, ...]
    write: Write

    @property
    def height(self) -> int:
        """Rows."""
        return sum(one.part.count for one in self.parts)


def write(folder: Path, segments: Sequence[Segment]) -> None:
    """Write every segment that has rows, the chunk number of every row, and the list, in this order."""
    held = [segment for segment in segments if segment.height]
    for number, segment in enumerate(held):
        segment.write(folder / str(number))
    places = [np.asarray(one.chunks, np.int32) for segment in held for one in segment.parts]
    np.save(folder / "places.npy", np.concatenate([np.zeros(0, np.int32), *places]), allow_pickle=False)
    rows = [[[one.part.digest, one.part.first, one.part.count] for one in segment.parts] for segment in held]
    (folder / _LIST).write_text(json.dumps({"format": FORMAT, "segments": rows}), encoding="utf-8")


def read(folder: Path) -> list[tuple[Path, tuple[Part, ...]]]:
    """Every segment's folder and the parts that its rows are.

    Raises:
        StoreCorrupt: the list is not there or not of this format.
    """
    try:
        listed = json.loads((folder / _LIST).read_text(encoding="utf-8"))
        if listed["format"] != FORMAT:
            raise ValueError(f"format {listed['format']}")
        return [(folder / str(n), tuple(Part(*part) for part in parts)) for n, parts in enumerate(listed["segments"])]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _corrupt(folder, error) from error


def _corrupt(folder: Path, error: Exception) -> StoreCorrupt:
    return StoreCorrupt(f"the index in {folder} cannot be read ({error}): delete that folder and index again")


def places(folder: Path, segments: Sequence[tuple[Path, tuple[Part, ...]]]) -> list[np.ndarray]:
    """For every segment, the chunk number of each of its rows."""
    heights = [sum(part.count for part in parts) for _, parts in segments]
    return np.split(np.load(folder / "places.npy", allow_pickle=False), np.cumsum(heights)[:-1]) if heights else []


def link(source: Path) -> Write:
    """What takes over an unchanged segment: hard links, or copies where the file system has none."""

    def write_links(folder: Path) -> None:
        shutil.copytree(source, folder, copy_function=_link, dirs_exist_ok=True)

    return write_links


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def compact(given: Sequence[Segment], join: Callable[[Sequence[Path], Path], None]) -> list[Segment]:
    """The segments, with many small ones joined to few; empty ones go.

    Nothing is joined while there are few small ones, so that a single new file costs a single new segment.

    Args:
        given: the segments.
        join: writes one segment from the folders of several, one below the other.
    """
    held = [segment for segment in given if segment.height]
    small = [segment for segment in held if segment.height < SEGMENT // 2]
    if len(small) <= MOST_SMALL:
        return held
    groups: list[list[Segment]] = [[]]
    for segment in small:
        if sum(one.height for one in groups[-1]) + segment.height > SEGMENT:
            groups.append([])
        groups[-1].append(segment)
    return [*(one for one in held if one.height >= SEGMENT // 2), *(_joined(group, join) for group in groups)]


def _joined(group: Sequence[Segment], join: Callable[[Sequence[Path], Path], None]) -> Segment:
    """Small segments as one: each is written beside its place, joined, and removed."""

    def write_joined(folder: Path) -> None:
        pieces = [folder.with_name(f"{folder.name}.{number}") for number in range(len(group))]
        for segment, piece in zip(group, pieces, strict=True):
            segment.write(piece)
        join(pieces, folder)
        for piece in pieces:
            shutil.rmtree(piece)

    return Segment(tuple(part for segment in group for part in segment.parts), write_joined)


def put(slot: IndexSlot, given: Sequence[Segment]) -> Path:
    """Make an index of these segments current; where another process has just made it, take over its files.

    Raises:
        StoreLocked, StoreFull, StoreError: as `IndexSlot.replace` says.
    """

    def fill(folder: Path) -> None:
        if slot.current is None:
            write(folder, given)
        else:
            link(slot.current)(folder)

    return slot.replace(fill)


def opened(folder: Path, load: Callable[[Path], T]) -> T:
    """The index in a folder, opened once for as long as its list is the same file.

    Raises:
        StoreCorrupt: a file is missing or not what it should be.
    """
    try:
        stat = (folder / _LIST).stat()
        return cast("T", _remembered(load, folder, (stat.st_ino, stat.st_mtime_ns)))
    except (OSError, ValueError) as error:
        raise _corrupt(folder, error) from error


@lru_cache(maxsize=8)
def _remembered(load: Callable[[Path], object], folder: Path, version: tuple[int, int]) -> object:
    return load(folder)
