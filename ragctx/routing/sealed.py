"""Numbers in a JSON file with a version and a hash, so that a file of another program or a changed one is refused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from ragctx.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")


def digest(value: DataclassInstance) -> str:
    """Hash of a dataclass's numbers."""
    return _hash(asdict(value))


def seal(value: DataclassInstance, part: str, version: int) -> str:
    """The file's text: version, hash, and the numbers under the name `part`."""
    return json.dumps({"version": version, "digest": digest(value), part: asdict(value)}, indent=1)


def unseal(text: str, kind: type[T], part: str, version: int, source: str) -> T:
    """The value that `seal` wrote; `source` names the file in errors.

    Raises:
        ConfigError: not JSON, of another version, changed since it was written, or numbers that do not fit.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        raw: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{source} is not JSON: {error}; fit it again") from error
    if not isinstance(raw, dict) or raw.get("version") != version:
        found = raw.get("version") if isinstance(raw, dict) else None
        raise ConfigError(f"{source}: version {found!r}, this program reads {version}: fit it again")
    try:
        value: T = TypeAdapter(kind).validate_python(raw.get(part))
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, e['loc'])) or part}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"{source}: " + "; ".join(lines)) from error
    if raw.get("digest") != _hash(raw[part]):
        raise ConfigError(f"{source}: its hash does not match its numbers: it was changed by hand, fit it again")
    return value


def _hash(numbers: object) -> str:
    return hashlib.sha256(json.dumps(numbers, sort_keys=True).encode()).hexdigest()
