"""Everything a command may be told, and the pipeline it describes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from ragctx.cli.options import NONE
from ragctx.errors import ConfigError, UnknownName

if TYPE_CHECKING:
    from ragctx.contracts import Backend
    from ragctx.pipeline import Pipeline

# What changes how a call is made, not what it says: a job does not freeze these, and may go on with others.
PASSING = frozenset(
    {"api_key", "batch", "chunk", "concurrency", "connect", "measure", "prefix_bytes", "threads", "timeout"}
)
Option = bool | int | float | str


class PriceSettings(BaseModel):
    """Price of the reader per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: float = Field(ge=0)
    output: float = Field(ge=0)
    cached: float | None = Field(default=None, ge=0)
    currency: str = "USD"
    dated: str = ""


class Settings(BaseModel):
    """Everything a command may be told about documents, models and routing.

    Attributes:
        options: of the reader, e.g. `timeout`, `window`, `dtype`. encoder_options: of the encoder, e.g. `length`,
            `temperature`. strategy_options: of strategies, by name.
        attempts: tries for a call that may yet succeed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    documents: tuple[str, ...] = ()
    reader: str = "auto"
    options: dict[str, Option] = Field(default_factory=dict)
    attempts: int = Field(default=4, ge=1)
    encoder: str = "auto"
    encoder_options: dict[str, Option] = Field(default_factory=dict)
    ranker: str = "extractive"
    scorer: str = "auto"
    roles: dict[str, str] = Field(default_factory=dict)
    strategies: tuple[str, ...] | None = None
    strategy_options: dict[str, dict[str, Option | list[str]]] = Field(default_factory=dict)
    policy: str | None = None
    lam: float | None = Field(default=None, alias="lambda", ge=0)
    budget: int | None = Field(default=None, ge=1)
    reply_cache: bool = True
    prices: PriceSettings | None = None

    def open_reader(self) -> tuple[Backend, tuple[str, ...]]:
        """The reader these settings name, with its options and prices; and what to tell where it is another.

        Raises:
            ConfigError: an unknown name or option, or an extra is missing.
        """
        from ragctx.assembly import open_reader
        from ragctx.types import Prices

        prices: dict[str, Any] = {"prices": Prices(**self.prices.model_dump())} if self.prices else {}
        return open_reader(_absolute(self.reader), **self.options, **prices)

    @contextmanager
    def pipeline(self, only: str | None = None) -> Iterator[Pipeline]:
        """The pipeline these settings describe, indexed; closed at the end. Progress is on standard error.

        Args:
            only: a strategy that will be named; checked before anything is read.

        Raises:
            ConfigError: no documents are named, or a name is unknown. InputError: documents cannot be read.
        """
        from ragctx.pipeline import Pipeline
        from ragctx.views.progress import indexing

        if not self.documents:
            raise ConfigError("no documents: add --documents FOLDER, or documents = [...] to ragctx.toml")
        self._check_names(only)
        reader, lacking = self.open_reader()
        with indexing() as progress:
            made = Pipeline.over(
                *self.documents,
                reader=reader,
                encoder=None if self.encoder == NONE else self.encoder,
                encoder_options=self.encoder_options,
                ranker=None if self.ranker == NONE else self.ranker,
                scorer=reader if self._reads_and_scores else None if self.scorer == NONE else self.scorer,
                roles=self.roles,
                strategies=self.strategies,
                strategy_options=self.strategy_options,
                policy=self.policy,
                lam=self.lam,
                cache=self.reply_cache,
                attempts=self.attempts,
                progress=progress,
                settings=self.frozen(),
                notes=lacking,
            )
        try:
            yield made
        except KeyboardInterrupt:
            raise  # what a model is at work on cannot be called back; the process ends under it, and stores bear that
        except BaseException:
            made.close()
            raise
        made.close()

    @property
    def _reads_and_scores(self) -> bool:
        """Whether one model is named for both: its weights are read once."""
        return self.scorer == self.reader != "auto"

    def _check_names(self, only: str | None) -> None:
        from ragctx import registry

        def meant(name: str) -> str:
            return registry.meant("strategies", name)[0]

        known = [meant(name) for name in self.strategies or registry.names("strategies")]
        for name in known:
            registry.find("strategies", name)
        if only is not None and meant(only) not in known:
            raise UnknownName("strategy", only, known)

    def frozen(self) -> dict[str, object]:
        """These settings as a job freezes them: paths made absolute, so that it goes on from any folder."""
        absolute = tuple(str(Path(name).expanduser().absolute()) for name in self.documents)
        policy = str(Path(self.policy).expanduser().absolute()) if self.policy else None
        held = self.model_copy(
            update={
                "documents": absolute,
                "policy": policy,
                "options": _lasting(self.options),
                "encoder_options": _lasting(self.encoder_options),
                "reader": _absolute(self.reader),
                "ranker": _absolute(self.ranker),
                "scorer": _absolute(self.scorer),
            }
        )
        return held.model_dump(mode="json", by_alias=True, exclude={"attempts"})


def _lasting(options: Mapping[str, Option]) -> dict[str, Option]:
    return {name: value for name, value in options.items() if name not in PASSING}


def _absolute(model: str) -> str:
    """A model that is a file or a folder here is named by its whole path: a job goes on from any folder."""
    scheme, _, rest = model.partition(":")
    path = Path(rest).expanduser()
    # A bare name after `local:` is a model's name, whatever lies in the working folder.
    named = scheme in {"scripted", "provence", "extractive"} or (
        scheme == "local" and ("/" in rest or path.suffix == ".gguf")
    )
    return f"{scheme}:{path.absolute()}" if named and rest and path.exists() else model
