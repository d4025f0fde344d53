"""The texts one strategy says to models: a TOML file of named templates, kept beside the strategy."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ragctx.errors import ConfigError
from ragctx.prompts.templates import check_slots

Slots = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Texts:
    """Named templates, filled like `Templates`: values are put in as they are and never read as templates.

    Attributes:
        entries: (name, template) of each.

    Example:
        >>> Texts((("hello", "Say hello to {name}."),)).fill("hello", name="{Ada}")
        'Say hello to {Ada}.'
    """

    entries: tuple[tuple[str, str], ...]

    def __contains__(self, name: str) -> bool:
        return any(name == known for known, _ in self.entries)

    def fill(self, name: str, /, **values: object) -> str:
        """The template `name` with its slots filled."""
        return dict(self.entries)[name].format(**values)

    @property
    def digest(self) -> str:
        """Equal for texts that say the same."""
        return hashlib.sha256(repr(self.entries).encode()).hexdigest()[:12]


def texts(file: Path, slots: Slots) -> Texts:
    """The texts of a file, read once.

    Args:
        file: TOML, one string a name.
        slots: for every name the slots its template may use; those in capitals it must use.

    Raises:
        ConfigError: the file cannot be read, a name is missing or too many, a slot is unknown or not used.
    """
    return _loaded(Path(file), tuple((name, tuple(given)) for name, given in slots.items()))


@lru_cache(maxsize=128)
def _loaded(file: Path, slots: tuple[tuple[str, tuple[str, ...]], ...]) -> Texts:
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot read the texts in {file.name}: {error}; it must be a TOML file") from error
    names = [name for name, _ in slots]
    odd = sorted(set(found) ^ set(names))
    if odd:
        raise ConfigError(f"{file.name} must have the texts {', '.join(names)}: {', '.join(odd)} is missing or unknown")
    wrong = [name for name in names if not isinstance(found[name], str)]
    if wrong:
        raise ConfigError(f"{file.name}: {', '.join(wrong)} must be text")
    entries = tuple((name, str(found[name]).strip("\n")) for name in names)
    for (name, text), (_, given) in zip(entries, slots, strict=True):
        check_slots(name, text, given)
    return Texts(entries)
