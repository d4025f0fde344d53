"""Settings from flags, then RAGCTX_ environment variables, then a TOML file; an unknown key is an error."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ragctx.errors import ConfigError, UnknownName

if TYPE_CHECKING:
    from ragctx.pipeline import Pipeline

DEFAULT_FILE = Path("ragctx.toml")
NOT_SETTINGS = {"RAGCTX_CACHE", "RAGCTX_CONFIG", "RAGCTX_BENCH_DATA", "RAGCTX_BENCH_MODEL"}


class PriceSettings(BaseModel):
    """Price of the reader per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: float = Field(ge=0)
    output: float = Field(ge=0)
    cached: float | None = Field(default=None, ge=0)
    currency: str = "USD"
    dated: str = ""


class Settings(BaseModel):
    """Everything a command may be told about documents, models and routing."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    documents: tuple[str, ...] = ()
    reader: str = "local:smollm2-135m"
    encoder: str = "auto"
    roles: dict[str, str] = Field(default_factory=dict)
    strategies: tuple[str, ...] | None = None
    policy: str | None = None
    lam: float | None = Field(default=None, alias="lambda", ge=0)
    budget: int | None = Field(default=None, ge=1)
    reply_cache: bool = True
    prices: PriceSettings | None = None

    def pipeline(self) -> Pipeline:
        """The pipeline these settings describe; indexing shows its progress on standard error.

        Raises:
            ConfigError: no documents are named, or a name is unknown. InputError: documents cannot be read.
        """
        from ragctx.pipeline import Pipeline
        from ragctx.types import Prices
        from ragctx.views.progress import indexing

        if not self.documents:
            raise ConfigError("no documents: add --documents FOLDER, or documents = [...] to ragctx.toml")
        with indexing() as progress:
            return Pipeline.over(
                *self.documents,
                reader=self.reader,
                encoder=None if self.encoder == "none" else self.encoder,
                roles=self.roles,
                strategies=self.strategies,
                policy=self.policy,
                lam=self.lam,
                prices=Prices(**self.prices.model_dump()) if self.prices else None,
                cache=self.reply_cache,
                progress=progress,
                settings=self._portable(),
            )

    def _portable(self) -> dict[str, object]:
        """These settings as a job freezes them: paths made absolute, so that it goes on from any folder."""
        absolute = tuple(str(Path(name).expanduser().absolute()) for name in self.documents)
        policy = str(Path(self.policy).absolute()) if self.policy else None
        held = self.model_copy(update={"documents": absolute, "policy": policy})
        return held.model_dump(mode="json", by_alias=True)


def settings(config: Path | None = None, **flags: object) -> Settings:
    """The settings in force; a flag that is None was not given.

    Raises:
        ConfigError: an unknown key, a value of the wrong type, or a settings file that cannot be read.
    """
    merged = _file(config) | _environment(os.environ) | {k: v for k, v in flags.items() if v is not None}
    try:
        return Settings.model_validate(merged)
    except ValidationError as invalid:
        first = invalid.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"setting {where!r}: {first['msg'].lower()}; got {first['input']!r}") from None


def _file(config: Path | None) -> dict[str, Any]:
    path = config or Path(os.environ.get("RAGCTX_CONFIG", DEFAULT_FILE))
    if config is None and "RAGCTX_CONFIG" not in os.environ and not path.exists():
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot read settings file {path}: {error}") from None
    for key in values:
        _known(key, f"key in {path}")
    return values


def _environment(variables: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in variables.items():
        if not name.startswith("RAGCTX_") or name in NOT_SETTINGS:
            continue
        key = name.removeprefix("RAGCTX_").lower()
        _known(key, "environment variable RAGCTX_...")
        found[key] = value.split(os.pathsep) if key in {"documents", "strategies"} else value
    return found


def _known(key: str, kind: str) -> None:
    known = {field.alias or name for name, field in Settings.model_fields.items()}
    if key not in known:
        raise UnknownName(kind, key, known)
