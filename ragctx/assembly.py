"""Opens what a pipeline is made of: documents, models by name, strategies, the reply store.

Whatever falls back here (no encoder installed) is returned as a note that plans and answers repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ragctx import registry
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError
from ragctx.folders import cache_folder

if TYPE_CHECKING:
    from ragctx.contracts import Backend, Strategy
    from ragctx.engine import ReplyStore
    from ragctx.types import Prices

AUTO = "auto"
RANKER = "extractive"


def corpus(sources: tuple[object, ...], folder: Path | None, progress: Callable[..., None] | None) -> Corpus:
    """The one corpus given, or a corpus over the sources given."""
    if not sources:
        raise ConfigError("no documents: give files, folders, Documents or a Corpus")
    first = sources[0]
    if isinstance(first, Corpus):
        if len(sources) > 1:
            raise ConfigError("a Corpus stands alone: add further sources with corpus.add(...)")
        return first
    return Corpus.over(*sources, folder=folder, progress=progress)


def backends(
    reader: object, encoder: object, ranker: object, roles: Mapping[str, object], prices: Prices | None
) -> tuple[dict[str, Backend], tuple[str, ...]]:
    """Every model opened, by role, and what to tell the user about fall-backs; no weights are read yet."""
    from ragctx.encoders import open_ranker
    from ragctx.readers import open_model

    reading, lacking = open_reader(reader, **({"prices": prices} if prices else {}))
    opened: dict[str, Backend] = {"reader": reading}
    if ranker is not None:
        ranking = open_ranker(ranker)
        # One model may play two roles: its weights are read once.
        same = ranker == RANKER and reading.facts.identity == ranking.facts.identity
        opened["ranker"] = reading if same else ranking
    found, notes = _encoder(encoder)
    if found is not None:
        opened["encoder"] = found
    opened |= {role: open_model(spec) for role, spec in roles.items()}
    told = [str(note) for model in opened.values() if (note := getattr(model, "note", ""))]
    return opened, tuple(dict.fromkeys((*lacking, *told, *notes)))


def open_reader(reader: object, **options: object) -> tuple[Backend, tuple[str, ...]]:
    """The model that answers, and what to tell the user where it is another than the one meant.

    Args:
        reader: what `readers.open_model` takes; "extractive" for the packaged reading model, which writes nothing;
            "auto" for the offline default, or the reading model where that is not installed.
        options: of the reader.

    Raises:
        ConfigError: an unknown name or option, or an extra is missing.
    """
    from ragctx.encoders import open_ranker
    from ragctx.readers import DEFAULT, missing, open_model

    if isinstance(reader, str) and reader.startswith(f"{RANKER}:"):
        raise ConfigError(
            f"no reader is called {reader!r}: name the folder as ranker={reader!r}, with {RANKER!r} as reader"
        )
    lacking = missing(DEFAULT) if reader == AUTO else ""
    if reader != RANKER and not lacking:
        return open_model(DEFAULT if reader == AUTO else reader, **options), ()
    if wrong := sorted(set(options) - {"threads"}):
        raise ConfigError(f"the reading model writes nothing and has no {', '.join(wrong)}: name a reader that writes")
    note = f"no model that writes is installed, so answers are copied from the documents; for one: {lacking}"
    return open_ranker(RANKER, **options), (note,) if lacking else ()


def _encoder(encoder: object) -> tuple[Backend | None, tuple[str, ...]]:
    from ragctx.encoders import DEFAULT, missing, open_encoder

    if encoder is None:
        return None, ()
    if encoder != AUTO:
        return open_encoder(encoder), ()
    lacking = missing(DEFAULT)
    if lacking:
        return None, (f"hybrid retrieval is BM25 alone: no encoder; for dense retrieval: {lacking}",)
    return open_encoder(DEFAULT), ()


def strategies(chosen: Mapping[str, Strategy] | Iterable[str] | None = None) -> dict[str, Strategy]:
    """The strategies given, those named (one name may stand alone), or one of every installed kind."""
    if isinstance(chosen, Mapping):
        return dict(chosen)
    wanted = registry.names("strategies") if chosen is None else [chosen] if isinstance(chosen, str) else chosen
    return {name: registry.make("strategies", name) for name in wanted}


def frozen(backend: Backend) -> str:
    """What a job remembers of a model, and refuses to go on without: its identity, or what it says of itself."""
    return getattr(backend, "frozen", "") or backend.facts.identity or backend.facts.name


def reply_store() -> ReplyStore:
    """The reply cache shared by all pipelines of this user."""
    from ragctx.engine import SqliteStore

    return SqliteStore(cache_folder("replies") / "replies.sqlite")
