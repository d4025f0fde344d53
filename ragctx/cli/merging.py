"""Settings from flags, then RAGCTX_ environment variables, then a TOML file; an unknown key is an error."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ragctx.cli.settings import PriceSettings, Settings
from ragctx.errors import ConfigError, UnknownName

DEFAULT_FILE = Path("ragctx.toml")
PREFIX = "RAGCTX_"
NOT_SETTINGS = {"RAGCTX_CACHE", "RAGCTX_CONFIG", "RAGCTX_TRACEBACK", "RAGCTX_BENCH_DATA", "RAGCTX_BENCH_MODEL"}
TABLES = {"options", "encoder_options", "prices", "roles", "strategy_options"}
PATHS = {"documents", "policy"}


def settings(
    config: Path | None = None,
    *,
    option: Iterable[str] | None = None,
    encoder_option: Iterable[str] | None = None,
    **flags: object,
) -> Settings:
    """The settings in force; a flag that is None was not given.

    Args:
        config: the settings file in place of `RAGCTX_CONFIG` and `./ragctx.toml`.
        option: options of the reader as `NAME=VALUE`; they are added to those of file and environment.
        encoder_option: of the encoder, likewise.
        flags: settings by the name of their field.

    Raises:
        ConfigError: an unknown key, a value of the wrong type, or a settings file that cannot be read.
    """
    given = {_said(field): value for field, value in flags.items() if value is not None}
    merged = _file(config) | _environment(os.environ) | given
    for table, pairs in (("options", option), ("encoder_options", encoder_option)):
        if options := named_values(pairs or (), f"--{table.replace('_', '-').removesuffix('s')}"):
            merged[table] = {**merged.get(table, {}), **options}
    try:
        return Settings.model_validate(merged)
    except ValidationError as invalid:
        raise _explained(invalid) from None


def named_values(given: Iterable[str], flag: str = "--option") -> dict[str, Any]:
    """`NAME=VALUE` pairs of a flag; a value is a number, true, false, or text.

    Raises:
        ConfigError: a pair without its equals sign.

    Example:
        >>> named_values(["timeout=2.5", "window=32768", "dtype=bfloat16"])
        {'timeout': 2.5, 'window': 32768, 'dtype': 'bfloat16'}
    """
    found: dict[str, Any] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            example = "timeout=30" if flag == "--option" else "length=1024"
            raise ConfigError(f"{flag} {pair!r} is no NAME=VALUE: write for example {flag} {example}")
        found[name.strip().replace("-", "_")] = value_of(value.strip())
    return found


def value_of(text: str) -> object:
    """A number, true or false where the text is one, else the text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text


def _explained(invalid: ValidationError) -> ConfigError:
    errors = invalid.errors()
    first = next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])
    *above, last = map(str, first["loc"])
    if first["type"] == "extra_forbidden":
        return UnknownName("setting", ".".join([*above, last]), (".".join([*above, k]) for k in _fields(above)))
    named = ".".join([*above, last])
    return ConfigError(f"setting {named!r}: {first['msg'][:1].lower()}{first['msg'][1:]}, not {first['input']!r}")


def _fields(above: list[str]) -> Iterable[str]:
    return PriceSettings.model_fields if above == ["prices"] else _known()


def _file(config: Path | None) -> dict[str, Any]:
    path = (config or Path(os.environ.get("RAGCTX_CONFIG") or DEFAULT_FILE)).expanduser()
    if config is None and not os.environ.get("RAGCTX_CONFIG") and not path.exists():
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the settings file {path} is not TOML: {error}; mend that line") from None
    except UnicodeDecodeError:
        raise ConfigError(f"the settings file {path} is not UTF-8: save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"cannot read the settings file {path}: {error.strerror}; check the path") from None
    for key in values:
        if key not in _known():
            raise UnknownName(f"setting in {path}:", key, _known())
    return {key: _beside(path, value) if key in PATHS else value for key, value in values.items()}


def _beside(file: Path, value: object) -> object:
    """Paths in a settings file are seen from its folder, wherever the command runs."""
    if isinstance(value, str):
        path = Path(value).expanduser()
        return value if path.is_absolute() or file.parent == Path() else str(file.parent / path)
    return [_beside(file, each) for each in value] if isinstance(value, list) else value


def _environment(variables: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in variables.items():
        if not name.startswith(PREFIX) or name in NOT_SETTINGS:
            continue
        key = name.removeprefix(PREFIX).lower()
        if key not in _known():
            raise UnknownName("environment variable", name, (PREFIX + known.upper() for known in _known()))
        found[key] = _parsed(name, key, value)
    return found


def _parsed(name: str, key: str, value: str) -> object:
    if key == "documents":
        return [part for part in value.split(os.pathsep) if part]
    if key == "strategies":
        return [part.strip() for part in value.split(",") if part.strip()]
    if key not in TABLES:
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ConfigError(f'{name} must be a JSON object, e.g. {{"timeout": 30}}; got {value!r}') from None


def _known() -> set[str]:
    return set(map(_said, Settings.model_fields))


def _said(field: str) -> str:
    """The name of a setting in files and variables: `lambda`, which no field of a class can be called."""
    return Settings.model_fields[field].alias or field
