"""One pass over a file's bytes: their digest, and whether and how they are text."""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass
from pathlib import Path

_STEP = 1 << 20
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class Inspection:
    """A file's bytes, looked at once.

    Attributes:
        digest: SHA-256 of the bytes, shortened. size: bytes. head: the first bytes.
        encoding: how to decode it; empty when it is not text.
        guessed: the encoding was neither marked nor valid UTF-8.
    """

    digest: str
    size: int
    head: bytes
    encoding: str
    guessed: bool = False


def inspect(path: Path) -> Inspection:
    """Read a file once, in steps.

    Valid UTF-8 is UTF-8; a byte order mark says what it says; anything else without NUL bytes is taken for cp1252,
    which the caller must report.

    Raises:
        OSError: the file cannot be opened or read.
    """
    hashed, size, head = hashlib.sha256(), 0, b""
    decoder: codecs.IncrementalDecoder | None = None
    marked, nul, valid = "", False, True
    with path.open("rb") as file:
        while step := file.read(_STEP):
            if not size:
                head = step[:4096]
                marked = next((name for mark, name in _MARKS if head.startswith(mark)), "")
                decoder = codecs.getincrementaldecoder(marked or "utf-8")()
            hashed.update(step)
            size += len(step)
            nul = nul or b"\0" in step
            valid = valid and _decodes(decoder, step, final=False)
    valid = valid and _decodes(decoder, b"", final=True)
    encoding = _encoding(marked, nul, valid)
    return Inspection(hashed.hexdigest()[:32], size, head, encoding, guessed=encoding == "cp1252")


def decodes(path: Path, encoding: str) -> bool:
    """Whether a file is text in an encoding that somebody names."""
    try:
        with path.open(encoding=encoding) as file:
            while file.read(_STEP):
                pass
    except (LookupError, UnicodeError):
        return False
    return True


def _decodes(decoder: codecs.IncrementalDecoder | None, step: bytes, *, final: bool) -> bool:
    if decoder is None:
        return True
    try:
        decoder.decode(step, final)
    except UnicodeDecodeError:
        return False
    return True


def _encoding(marked: str, nul: bool, valid: bool) -> str:
    if marked in {"utf-16", "utf-32"}:
        return marked if valid else ""
    if nul:
        return ""
    return (marked or "utf-8") if valid else "cp1252"
