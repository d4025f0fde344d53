"""Opens what a pipeline is made of: documents, models by name, strategies, the reply store.

Whatever falls back here (no encoder installed) is returned as a note that plans and answers repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ragctx import registry
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError, UnknownName
from ragctx.folders import cache_folder

if TYPE_CHECKING:
    from ragctx.contracts import Backend, Strategy
    from ragctx.engine import ReplyStore
    from ragctx.routing import Policy
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
    reader: object,
    encoder: object,
    ranker: object,
    scorer: object,
    roles: Mapping[str, object],
    prices: Prices | None,
    encoder_options: Mapping[str, object] | None = None,
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
    found, notes = _encoder(encoder, encoder_options or {})
    if found is not None:
        opened["encoder"] = found
    opened |= {role: open_model(spec) for role, spec in roles.items()}
    if scorer is not None and "scorer" not in roles:
        scoring = open_scorer(scorer, reading, reader)
        opened |= {"scorer": scoring} if scoring is not None else {}
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


def open_scorer(scorer: object, reading: Backend | None = None, named: object = None) -> Backend | None:
    """The model that says how likely given tokens are; compressors weigh words by it.

    Args:
        scorer: what `readers.open_model` takes; "auto" for the reader where that can score, else the bundled model,
            opened when it is first needed, else none: whoever wants to score then says what to install.
        reading: the reader that is open.
        named: what the reader was opened by. A scorer of the same name is the same model, and its weights are read
            once.

    Raises:
        ConfigError: an unknown name, an extra is missing, or the model cannot score or does not tell its tokens.
    """
    from ragctx.models import pieces_of
    from ragctx.readers import open_model

    if scorer == AUTO:
        return reading if reading is not None and _scores(reading) else _bundled_scorer()
    one = reading if reading is not None and isinstance(scorer, str) and scorer == named else open_model(scorer)
    if "Score" not in one.facts.kinds:
        raise ConfigError(f"{one.facts.name} cannot score text: name one that can, e.g. scorer='local:smollm2-135m'")
    pieces_of(one.facts)
    return one


def _scores(backend: Backend) -> bool:
    from ragctx.models import Pieces

    facts = backend.facts
    return "Score" in facts.kinds and facts.counter.exact and isinstance(facts.counter, Pieces)


def _bundled_scorer() -> Backend | None:
    from functools import partial

    from ragctx.readers import DEFAULT, missing, open_model
    from ragctx.readers.deferred import Deferred
    from ragctx.readers.local_weights import BUNDLED

    if missing(DEFAULT):
        return None
    weights = BUNDLED[DEFAULT.partition(":")[2]][2]
    # Half precision reads about twice as fast and ranks alike; nobody writes with this copy.
    make = partial(open_model, DEFAULT, dtype="bfloat16")
    return Deferred(DEFAULT, f"{DEFAULT}:{weights}:bfloat16", 8192, frozenset({"Score"}), make)


def _encoder(encoder: object, options: Mapping[str, object]) -> tuple[Backend | None, tuple[str, ...]]:
    from ragctx.encoders import DEFAULT, missing, open_encoder

    if encoder is None:
        if options:
            raise ConfigError(f"without an encoder there is no {', '.join(sorted(options))}: name one, or leave it out")
        return None, ()
    if encoder != AUTO:
        return open_encoder(encoder, **options), ()
    lacking = missing(DEFAULT)
    if lacking:
        told = "hybrid retrieval is BM25 alone: no encoder"
        return None, (f"{told}; for dense retrieval name the packaged one, encoder='extractive', or {lacking}",)
    return open_encoder(DEFAULT, **options), ()


def strategies(
    chosen: Mapping[str, Strategy] | Iterable[str] | None = None,
    options: Mapping[str, Mapping[str, object]] | None = None,
) -> dict[str, Strategy]:
    """The strategies given, those named (one name may stand alone), or one of every installed kind.

    Args:
        chosen: see above.
        options: for strategies made here, by name.

    Raises:
        UnknownName: no such strategy. ConfigError: no such option, or a value that it cannot have.
    """
    if isinstance(chosen, Mapping):
        if options:
            raise ConfigError("options are for strategies given by name: make the others with them")
        return dict(chosen)
    wanted = registry.names("strategies") if chosen is None else [chosen] if isinstance(chosen, str) else list(chosen)
    wanted = list(dict.fromkeys(registry.meant("strategies", name)[0] for name in wanted))
    given = {registry.meant("strategies", name)[0]: held for name, held in (options or {}).items()}
    for name in given:
        if name not in wanted:
            raise UnknownName("strategy", name, wanted)
    return {name: registry.make("strategies", name, **_fitting(name, given.get(name, {}))) for name in wanted}


def meanings(chosen: Mapping[str, Strategy] | Iterable[str] | None) -> tuple[str, ...]:
    """Which strategies are meant by those names that are second ones, in words.

    Example:
        >>> meanings(["crag", "full"])[0][:24]
        'crag: the clustered one '
    """
    if chosen is None or isinstance(chosen, Mapping):
        return ()
    names = [chosen] if isinstance(chosen, str) else list(chosen)
    return tuple(note for name in names if (note := registry.meant("strategies", name)[1]))


def considered(ways: Iterable[str], policy: Policy) -> frozenset[str]:
    """Those that a router chooses from where nobody named any; all of them where the policy wants each named.

    A policy that was fitted chooses from those it was fitted on, where they are here.
    """
    names = frozenset(ways)
    measured = names & policy.fitted.strategies if policy.fitted else frozenset()
    return measured or names - frozenset(policy.by_name) or names


def _fitting(name: str, given: Mapping[str, object]) -> dict[str, object]:
    """The options with values of their own types: a list becomes the tuple that is asked for, a word no number.

    Raises:
        ConfigError: a value that the option cannot have; those that are objects cannot be written in text at all.
    """
    from typing import get_type_hints

    from pydantic import PydanticUserError, TypeAdapter, ValidationError

    if not given or not given.keys() <= registry.options("strategies", name):
        return dict(given)  # `make` names the unknown one
    hints, made = get_type_hints(registry.find("strategies", name)), {}
    for option, value in given.items():
        try:
            made[option] = TypeAdapter(hints[option], config={"arbitrary_types_allowed": True}).validate_python(
                value, strict=not isinstance(value, list)
            )
        except (ValidationError, PydanticUserError) as error:
            raise ConfigError(f"{name}: {option}={value!r} is no {_said(hints[option])}") from error
    return made


def _said(hint: object) -> str:
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")


def frozen(backend: Backend) -> str:
    """What a job remembers of a model, and refuses to go on without: its identity, or what it says of itself."""
    return getattr(backend, "frozen", "") or backend.facts.identity or backend.facts.name


def reply_store() -> ReplyStore:
    """The reply cache shared by all pipelines of this user."""
    from ragctx.engine import SqliteStore

    return SqliteStore(cache_folder("replies") / "replies.sqlite")
