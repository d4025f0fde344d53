"""JSON of the frozen types as job files hold it: exact floats (infinity included), and text that SQLite can store."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")
_LEAVES = (str, int, float, type(None))


def dump(value: object) -> str:
    """One line of JSON that `load` reads back to an equal value.

    A lone surrogate, which neither UTF-8 nor SQLite can hold, becomes a question mark.

    Example:
        >>> from ragctx.types import Range
        >>> load(Range, dump(Range(0, 1, float("inf"))))
        Range(low=0.0, expected=1.0, high=inf)
    """
    text = json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"), default=_scalar)
    return text.encode("utf-8", "replace").decode()


def load(kind: type[T], text: str) -> T:
    """The value of `kind` that `dump` wrote."""
    from ragctx.types import serial  # which imports pydantic: it costs a tenth of a second

    return serial.load(kind, text)


def plain(value: object) -> Any:  # noqa: ANN401 - JSON values are what they are
    """Dataclasses as dicts, all the way down; `dataclasses.asdict` would copy every leaf."""
    if isinstance(value, _LEAVES):
        return value
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return value


def _scalar(value: object) -> object:
    """A numpy scalar is the number it holds."""
    item = getattr(value, "item", None)
    if item is None:
        raise TypeError(f"{type(value).__name__} has no place in a job file: give numbers, text, lists or dicts")
    return item()
