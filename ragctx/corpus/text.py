"""Text on disk, read by the slice.

A document is stored in blocks of 65,536 characters, each as wide as its widest character needs (1, 2 or 4 bytes), the
way CPython holds a `str`. The byte at which character `i` begins is therefore arithmetic: a slice is one seek and one
read of exactly its own characters, however large the file, whatever the script. UTF-8 would be smaller for typographic
text, but each slice would decode up to a whole block to find its beginning.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from ragctx.corpus.files import create, writing
from ragctx.errors import StoreCorrupt
from ragctx.types.documents import Text

BLOCK = 1 << 16
_PIECE = 1 << 20
_CODECS = {"1": "latin-1", "2": "utf-16-le", "4": "utf-32-le"}


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a text lies.

    Attributes:
        digest: SHA-256 of the text, and of its page borders and its grammar where it has any, shortened: what chunks
            depend on.
        segment: name of the file that holds it.
        offset: first byte. length: characters. widths: bytes per character of each block, one digit a block.
        chunk, chunks: row of its first chunk in the segment's chunk table, and how many there are.
    """

    digest: str
    segment: str
    offset: int
    length: int
    widths: str
    chunk: int = 0
    chunks: int = 0

    @property
    def size(self) -> int:
        """Bytes on disk."""
        if not self.widths:
            return 0
        last = len(self.widths) - 1
        return before(self.widths, last) * BLOCK + (self.length - last * BLOCK) * int(self.widths[-1])


def before(widths: str, number: int) -> int:
    """Sum of the widths before one: counting digits is quick enough to be done for every slice.

    Example:
        >>> before("1242", 3)
        7
    """
    return sum(width * widths.count(str(width), 0, number) for width in (1, 2, 4))


class Source:
    """A segment's text file, open for reading as long as somebody holds it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if (descriptor := self.__dict__.pop("_descriptor", None)) is not None:
            os.close(descriptor)

    def read(self, offset: int, size: int) -> bytes:
        """Exactly `size` bytes.

        Raises:
            StoreCorrupt: the file ends before them.
        """
        found = os.pread(self._descriptor, size, offset)
        while len(found) < size:
            more = os.pread(self._descriptor, size - len(found), offset + len(found))
            if not more:
                raise StoreCorrupt(
                    f"{self.path} ends early: delete the folder {self.path.parent.parent.parent} and index again"
                )
            found += more
        return found


class StoredText:
    """A lazy text: `len()` without reading, slices read from disk. `str(text)` reads all of it."""

    def __init__(self, stored: Stored, source: Source) -> None:
        self._stored, self._source = stored, source

    def __len__(self) -> int:
        return self._stored.length

    @overload
    def __getitem__(self, key: slice, /) -> str: ...
    @overload
    def __getitem__(self, key: int, /) -> str: ...
    def __getitem__(self, key: slice | int, /) -> str:
        if isinstance(key, int):
            position = range(len(self))[key]
            return self._between(position, position + 1)
        start, end, step = key.indices(len(self))
        if step == 1:
            return self._between(start, end)
        wanted = range(start, end, step)
        if not wanted:
            return ""
        low, high = min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1]) + 1
        return self._between(low, high)[::step] if step > 0 else self._between(low, high)[::-1][::-step]

    def __str__(self) -> str:
        return self[:]

    def __repr__(self) -> str:
        shown = self[:60]
        return f"<text of {len(self):,} characters: {shown!r}{'...' if len(self) > len(shown) else ''}>"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, StoredText) and self._stored.digest == other._stored.digest:
            return True
        return isinstance(other, (str, StoredText)) and len(other) == len(self) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(len(self))

    @property
    def digest(self) -> str:
        """The digest it is stored under."""
        return self._stored.digest

    def blocks(self, size: int = BLOCK) -> Iterator[str]:
        """The text in pieces of `size` characters."""
        for start in range(0, len(self), size):
            yield self._between(start, min(len(self), start + size))

    def _between(self, start: int, end: int) -> str:
        pieces = []
        while start < end:
            number, inside = divmod(start, BLOCK)
            stop = min(end, (number + 1) * BLOCK)
            width = self._stored.widths[number]
            at = self._stored.offset + before(self._stored.widths, number) * BLOCK + inside * int(width)
            raw = self._source.read(at, (stop - start) * int(width))
            pieces.append(raw.decode(_CODECS[width], "surrogatepass"))
            start = stop
        return "".join(pieces)


class TextWriter:
    """Appends texts to one new file, and takes the last one back when it turns out to be stored already.

    Attributes:
        size: bytes written so far.

    Raises:
        StoreFull, StoreError: from every method, when the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with writing(path.parent):
            self._file = os.fdopen(create(path), "wb")
        self.size = 0

    def finish(self) -> None:
        """Hand everything to the disk and close."""
        with writing(self._path.parent):
            self._file.close()

    def abandon(self) -> None:
        """Close without caring for what was not written yet."""
        with contextlib.suppress(OSError):
            self._file.close()

    def take_back(self, size: int) -> None:
        """Forget what was written after the first `size` bytes."""
        with writing(self._path.parent):
            self._file.seek(size)
            self._file.truncate()
        self.size = size

    def write(
        self, pieces: Iterable[str], into: list[Stored], segment: str, pages: Sequence[int] = (), grammar: str = ""
    ) -> Iterator[str]:
        """Store a text while it streams by: yields it on, and appends its place to `into` at the end.

        Args:
            pieces: the text.
            into: takes its place.
            segment: name of the file.
            pages: what its chunks depend on as well.
            grammar: likewise.
        """
        hashed, offset, length, widths = hashlib.sha256(), self.size, 0, list[str]()
        for block in _blocks(pieces):
            hashed.update(block.encode("utf-8", "surrogatepass"))
            width, raw = encode(block)
            with writing(self._path.parent):
                self._file.write(raw)
            self.size += len(raw)
            length += len(block)
            widths.append(width)
            yield block
        if pages:
            hashed.update(f"\0pages {list(pages)}".encode())
        if grammar:
            hashed.update(f"\0grammar {grammar}".encode())
        into.append(Stored(hashed.hexdigest()[:32], segment, offset, length, "".join(widths)))


def digest(text: Text) -> str:
    """The digest that a stored text of the same characters has; read by the piece, as it may be lazy and long."""
    hashed = hashlib.sha256()
    for start in range(0, len(text), _PIECE):
        hashed.update(text[start : start + _PIECE].encode("utf-8", "surrogatepass"))
    return hashed.hexdigest()[:32]


def encode(block: str) -> tuple[str, bytes]:
    """The narrowest fixed width that holds a block, and its bytes."""
    for width, codec in (("1", "latin-1"), ("2", "utf-16-le")):
        # Lone surrogates fail here: two of them side by side would come back as one character.
        with contextlib.suppress(UnicodeEncodeError):
            raw = block.encode(codec)
            if len(raw) == int(width) * len(block):
                return width, raw
    return "4", block.encode("utf-32-le", "surrogatepass")


def _blocks(pieces: Iterable[str]) -> Iterator[str]:
    gathered, waiting = [], 0
    for piece in pieces:
        gathered.append(piece)
        waiting += len(piece)
        if waiting < BLOCK:
            continue
        text = "".join(gathered)
        whole = len(text) - len(text) % BLOCK
        for start in range(0, whole, BLOCK):
            yield text[start : start + BLOCK]
        gathered, waiting = [text[whole:]], len(text) - whole
    if waiting:
        yield "".join(gathered)
