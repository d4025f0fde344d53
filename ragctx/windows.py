"""How far readers really read, measured by `ragctx probe` and kept from one process to the next for the router."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from ragctx.corpus.files import write_whole
from ragctx.folders import cache_folder, cache_path

_FOLDER: Final = "windows"
_VERSION: Final = 1  # of the battery: what another one measured is not comparable and counts as not measured


@dataclass(frozen=True, slots=True)
class Measured:
    """How far one reader finds what it is asked for.

    Attributes:
        reader: its name. tokens: its effective window; None where even the shortest prompts were not read.
        most: the longest prompts that were to be asked; where `tokens` is the same, it may read further.
        scores: length of the prompts in tokens, and share of them that were right; shortest first.
        prompts: of each length. seed: of their texts. date: ISO.
    """

    reader: str
    tokens: int | None
    most: int
    scores: tuple[tuple[int, float], ...]
    prompts: int
    seed: int = 0
    date: str = ""

    @property
    def at_least(self) -> bool:
        """Whether it read the longest prompts as well as the shortest: the end was not found."""
        return self.tokens == self.most


def known(identity: str) -> Measured | None:
    """What was measured earlier of the reader with this identity; None where nothing was.

    Args:
        identity: `ModelFacts.identity`, or its name where it has none.
    """
    path = cache_path(_FOLDER) / f"{_key(identity)}.json"
    try:
        found = path.stat()
        return _read(str(path), found.st_ino, found.st_mtime_ns)
    except OSError:  # never written, or a cache folder that cannot be read, which whoever writes there is told
        return None


@lru_cache(maxsize=64)
def _read(path: str, _file: int, _changed: int) -> Measured | None:
    """A file's content, read once until it is replaced: the router looks at it for every question."""
    try:
        stored = json.loads(Path(path).read_text("utf-8"))
        if stored.pop("version") != _VERSION:
            return None
        scores = tuple((int(length), float(score)) for length, score in stored.pop("scores"))
        return Measured(scores=scores, **stored)
    except (ValueError, KeyError, TypeError, AttributeError):  # damaged: measured again, then replaced
        return None


def effective(identity: str, declared: int | None) -> tuple[int | None, bool]:
    """The window to count on, and whether it was measured; the declared one stands in where it was not.

    Example:
        >>> effective("a reader that nobody probed", 8192)
        (8192, False)
    """
    found = known(identity)
    if found is None or found.tokens is None:
        return declared, False
    return (found.tokens if declared is None else min(found.tokens, declared)), True


def keep(identity: str, measured: Measured) -> None:
    """Store what was measured, in place of what was known."""
    text = json.dumps({"version": _VERSION, **asdict(measured)})
    write_whole(cache_folder(_FOLDER) / f"{_key(identity)}.json", text.encode())


def replies(identity: str) -> Path:
    """The file that keeps a reader's replies to the battery, so that a probe that was stopped goes on."""
    return cache_folder(_FOLDER) / f"{_key(identity)}.sqlite"


def forget(identity: str) -> bool:
    """Delete what was measured and the replies it rests on; whether there was anything."""
    found = sorted(cache_path(_FOLDER).glob(f"{_key(identity)}.*"))
    for path in found:
        path.unlink(missing_ok=True)
    return bool(found)


@lru_cache(maxsize=64)
def _key(identity: str) -> str:
    return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:32]
