"""The models of a measurement and the compressors that are measured, by the names under which they are told."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ragctx import registry
from ragctx.contracts import Compressor
from ragctx.encoders import open_encoder, open_ranker
from ragctx.engine import Engine, SqliteStore
from ragctx.models import Models
from ragctx.readers import open_model
from ragctx.types import Context
from ragctx.work import Work, run

SMALL = "local:smollm2-135m"
ENCODER = "sentence-transformers:all-minilm-l6-v2"
OURS, ITERATIVE, PERCEPTION, CLASSIFIED = "longllmlingua", "longllmlingua iterative", "perception", "llmlingua2"
NUMBERS, PACKAGE, FULL = "longllmlingua, numbers kept", "llmlingua package", "full text"
make = partial(partial, registry.make, "compressors")
METHODS: Mapping[str, Callable[[], Compressor]] = {
    "bm25-sentences": make("bm25-sentences"),
    "embedding-sentences": make("embedding-sentences"),
    "provence": make("provence"),
    OURS: make("longllmlingua"),
    ITERATIVE: make("longllmlingua", form="iterative"),
    PERCEPTION: make("perception"),
}
SENTENCES = ("bm25-sentences", "embedding-sentences", "provence")
"""Those that keep or leave out whole sentences."""


def words(classified: str | None) -> dict[str, Callable[[], Compressor]]:
    """Those that drop words: the question's guides are left out, since no model is asked to write."""
    found = {OURS: METHODS[OURS], ITERATIVE: METHODS[ITERATIVE], PERCEPTION: make("perception", guides=0)}
    return found | ({CLASSIFIED: make("llmlingua2")} if classified else {})


def reader_of(wanted: argparse.Namespace) -> Any:
    """The model that counts and answers; its weights are read when it first writes."""
    spec = f"local:{wanted.model}" if wanted.model else SMALL
    return open_model(spec, dtype=wanted.reader_dtype, threads=wanted.threads)


def scorer_of(wanted: argparse.Namespace, dtype: str = "bfloat16") -> Any:
    """The bundled scorer."""
    return open_model(SMALL, dtype=dtype, threads=wanted.threads)


@dataclass(frozen=True, slots=True)
class Rig:
    """An engine with a reader, a scorer, an encoder and a ranker.

    Attributes:
        engine: keeps replies where it was given a store, so that one ranking serves all budgets.
        classified: the models of LLMLingua-2, whose ranker is another; none where no checkpoint was named.
    """

    engine: Engine
    classified: Mapping[str, Any]

    @property
    def models(self) -> Models:
        """Facts of the models."""
        return self.engine.models

    def work(self, name: str, compressor: Compressor, question: Any, context: Context, budget: int) -> Work[Context]:
        """A compressor's work; that of LLMLingua-2 is driven here, by its own ranker."""
        if name != CLASSIFIED:
            return compressor.compress(question, context, budget, self.models)
        facts = Models({role: backend.facts for role, backend in self.classified.items()})
        done = run(compressor.compress(question, context, budget, facts), partial(serve, self.classified))
        return _done(done)


def _done(context: Context) -> Work[Context]:
    yield from ()
    return context


@contextmanager
def rig(wanted: argparse.Namespace, replies: Path | None = None) -> Any:
    """The models, opened.

    Args:
        wanted: options of the command.
        replies: the file that keeps their replies; one that is thrown away where none is named.
    """
    with ExitStack() as held:
        folder = held.enter_context(TemporaryDirectory())
        reader = reader_of(wanted)
        backends = {"reader": reader, "scorer": scorer_of(wanted), "ranker": open_ranker("extractive")}
        if find_spec("sentence_transformers"):
            backends["encoder"] = open_encoder(ENCODER)
        classified = {}
        if wanted.llmlingua2:
            classified = {"reader": reader, "ranker": open_ranker(f"llmlingua2:{wanted.llmlingua2}")}
        store = SqliteStore(replies or Path(folder) / "replies.sqlite")
        yield Rig(held.enter_context(Engine(backends, store=store)), classified)


def serve(backends: Mapping[str, Any], requests: Sequence[Any]) -> list[Any]:
    """Replies of the models by role, without an engine."""
    replies: dict[int, Any] = {}
    for role in dict.fromkeys(request.role for request in requests):
        mine = [i for i, request in enumerate(requests) if request.role == role]
        found = backends[role].serve([requests[i] for i in mine], lambda i, text: None)
        replies |= dict(zip(mine, found, strict=True))
    return [replies[i] for i in range(len(requests))]
