"""JSON both ways for the frozen types, by pydantic (imported here only: it costs a tenth of a second)."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")

# Building an adapter takes milliseconds, using one microseconds.
_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


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
