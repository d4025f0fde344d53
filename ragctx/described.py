"""What an object is, as plain JSON that is the same in every process: for the settings that a job freezes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Set
from enum import Enum
from pathlib import PurePath
from typing import Any

from ragctx.prompts import Templates


def described(value: object) -> Any:  # noqa: ANN401 - JSON values are what they are
    """The value as JSON; two that behave alike read alike, wherever and whenever they were made.

    A dataclass is its class and its fields (those left out of comparison or of its repr are its own business), and
    templates are the digest of their texts. Any other object is known by its class and its `name` alone: what it was
    made with cannot be told, so a change of that goes unnoticed. Make a strategy a dataclass to have it noticed.

    Example:
        >>> from pathlib import Path
        >>> described({"folder": Path("notes"), "sizes": (1, 2), "free": object()})
        {'folder': 'notes', 'sizes': [1, 2], 'free': {'class': 'builtins.object'}}
    """
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Enum():
            return value.name
        case PurePath():
            return str(value)
        case Mapping():
            return {str(key): described(part) for key, part in value.items()}
        case list() | tuple():
            return [described(part) for part in value]
        case Set():
            return sorted(map(described, value), key=lambda part: json.dumps(part, sort_keys=True))
    return _object(value)


def _object(value: object) -> dict[str, Any]:
    if hasattr(value, "__qualname__"):  # a class or a function
        return {"class": _path(value)}
    said = {"class": _path(type(value))}
    if isinstance(value, Templates):
        return said | {"digest": value.digest}
    if dataclasses.is_dataclass(value):
        told = (field for field in dataclasses.fields(value) if field.compare and field.repr)
        return said | {field.name: described(getattr(value, field.name)) for field in told}
    name = getattr(value, "name", None)
    return said | ({"name": name} if isinstance(name, str) else {})


def _path(value: Any) -> str:  # noqa: ANN401 - a class or a function
    return f"{value.__module__}.{value.__qualname__}"
