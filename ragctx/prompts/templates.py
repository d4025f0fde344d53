"""The texts that are said to models: one file of templates with named slots, every part of it replaceable."""

from __future__ import annotations

import dataclasses
import hashlib
import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

from ragctx.errors import ConfigError

# Slots a template may use; those in capitals it must use, or the model would not be told what it is asked.
_SLOTS: Mapping[str, tuple[str, ...]] = {
    "system": ("fence",),
    "passage": ("FENCE", "NUMBER", "source", "TEXT"),
    "end": ("FENCE",),
    "question": ("QUESTION", "refusal"),
    "cue": (),
    "data": ("QUESTION", "SCHEMA", "refusal"),
    "instructions": ("INSTRUCTIONS",),
    "repair": ("PROBLEM",),
    "standalone": ("HISTORY", "QUESTION"),
    "refusal": (),
    "unanswerable": (),
}
_SHIPPED = Path(__file__).with_name("templates.toml")


@dataclass(frozen=True, slots=True)
class Templates:
    """Every text of ragctx's own that a model reads; `templates.toml` says what each is for.

    Slots are plain names in braces; `{{` and `}}` stand for braces. Values are put in as they are and are never read
    as templates themselves, so braces in documents and questions are harmless.

    Attributes:
        refusal: what the model is told to reply when the documents do not say.
        unanswerable: the answer's text then.

    Raises:
        ConfigError: a slot that the template is not given, or one it must use and does not.

    Example:
        >>> terse = Templates.of({"refusal": "Unknown."})
        >>> terse.fill("question", question="Who?", refusal=terse.refusal).endswith("Question: Who?")
        True
    """

    system: str
    passage: str
    end: str
    question: str
    cue: str
    data: str
    instructions: str
    repair: str
    standalone: str
    refusal: str
    unanswerable: str

    def __post_init__(self) -> None:
        for name, slots in _SLOTS.items():
            check_slots(name, getattr(self, name), slots)

    @classmethod
    def of(cls, texts: Mapping[str, object]) -> Self:
        """The shipped templates with some of them replaced.

        Raises:
            ConfigError: an unknown name, a text that is not a string, an unknown slot.
        """
        unknown = sorted(set(texts) - set(_SLOTS))
        if unknown:
            raise ConfigError(f"no template is called {', '.join(unknown)}: there are {', '.join(_SLOTS)}")
        for name, text in texts.items():
            if not isinstance(text, str):
                raise ConfigError(f"the template {name} must be text, got {type(text).__name__}")
        return cls(**{name: str(text).strip("\n") for name, text in {**_shipped(), **texts}.items()})

    @classmethod
    def load(cls, path: str | Path | None = None) -> Self:
        """The templates of a TOML file on top of the shipped ones; the shipped ones without a file.

        Raises:
            ConfigError: the file cannot be read, is not TOML, or has an unknown name or slot.
        """
        if path is None:
            return cls.of({})
        try:
            texts = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"cannot read the templates in {path}: {error}; it must be a TOML file") from error
        return cls.of(texts)

    def fill(self, name: str, **values: object) -> str:
        """The template `name` with its slots filled."""
        template: str = getattr(self, name)
        return template.format(**values)

    @property
    def digest(self) -> str:
        """Equal for templates that say the same."""
        return hashlib.sha256("\0".join(dataclasses.astuple(self)).encode()).hexdigest()[:12]


@cache
def _shipped() -> dict[str, str]:
    return tomllib.loads(_SHIPPED.read_text(encoding="utf-8"))


@cache
def shipped() -> Templates:
    """The templates that come with ragctx."""
    return Templates.of({})


def check_slots(name: str, text: str, slots: tuple[str, ...]) -> None:
    """Refuse a template that uses slots it is not given, or leaves out one of those in capitals.

    Raises:
        ConfigError: naming the slots.
    """
    try:
        used = {slot for _, slot, how, turned in string.Formatter().parse(text) if slot is not None}
        plain = all(not how and not turned for _, slot, how, turned in string.Formatter().parse(text) if slot)
    except ValueError as error:
        raise ConfigError(f"the template {name} has a stray brace ({error}): write {{{{ and }}}} for braces") from error
    known = {slot.lower() for slot in slots}
    wrong = sorted(used - known)
    if wrong or not plain:
        raise ConfigError(f"the template {name} uses {{{', '.join(wrong)}}}: it is given {sorted(known) or 'no slots'}")
    missing = sorted(slot.lower() for slot in slots if slot.isupper() and slot.lower() not in used)
    if missing:
        raise ConfigError(f"the template {name} must use {{{'}, {'.join(missing)}}}")
