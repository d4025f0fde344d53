"""JSON both ways for the frozen types, by pydantic (imported here only: it costs a tenth of a second)."""

from __future__ import annotations

from collections.abc import Hashable
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")


@cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def dump(value: object) -> str:
    """One line of JSON."""
    return _adapter(type(value)).dump_json(value).decode()


def plain(value: object) -> Any:  # noqa: ANN401 - JSON values are what they are
    """The value as JSON-ready dicts, lists and scalars."""
    return _adapter(type(value)).dump_python(value, mode="json")


def load(kind: type[T], text: str | bytes) -> T:
    """The value of `kind` that `dump` wrote; pydantic's ValidationError says what does not fit."""
    value: T = _adapter(kind).validate_json(text)
    return value
