"""The reading model as a backend: `Rerank` and `Embed` requests in lists."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ragctx import speeds
from ragctx.contracts import Emit
from ragctx.encoders.extractive.embedding import Alone, Embedding
from ragctx.encoders.extractive.files import Weights
from ragctx.encoders.extractive.pairs import Pass
from ragctx.encoders.extractive.ranking import LOOKED, Ranking, Seen, refusal, seen
from ragctx.encoders.extractive.session import Session, cores
from ragctx.encoders.extractive.words import Tokens, Words
from ragctx.models import ModelFacts
from ragctx.types import Speed
from ragctx.work import Embed, Failure, Reply, Request, Rerank

KINDS = frozenset({"Embed", "Rerank", "Prune", "Extract"})
_ENOUGH = 4000
"""Tokens after which a speed is worth remembering: the first passes are slow."""
Planned = Ranking | Embedding | Failure


class Extractive:
    """Answers `Rerank` (with units and answers, where asked) and `Embed`; every text of any length is read whole.

    All sequences of a list are passed through the model one by one, the longest first, so that a reply never depends
    on what else is asked at the time; see `Session`.

    Attributes:
        batch: the most requests wanted at once.

    Args:
        weights: the model. threads: passes at once; one for each core when None.
    """

    def __init__(self, weights: Weights, threads: int | None = None) -> None:
        self._weights, self._words, self._threads = weights, Words(weights), cores(threads)
        # Company makes nothing faster, so few go together and nobody waits for many others.
        self.batch = max(4, self._threads)
        self._session: Session | None = None
        self._spent = (0, 0.0)
        self._key = f"{weights.identity}:{self._threads}"
        before = speeds.known(self._key)
        self._known = ModelFacts(weights.card.name, self._words, speed=before, identity=weights.identity, kinds=KINDS)

    @property
    def facts(self) -> ModelFacts:
        """Its facts, with the speed measured so far or earlier; its counter is exact and it has no window."""
        tokens, seconds = self._spent
        measured = Speed(prompt=tokens / seconds, output=1.0) if tokens and seconds else None
        return replace(self._known, speed=measured) if measured else self._known

    def serve(self, requests: Sequence[Request], emit: Emit) -> list[Reply]:
        """One reply for each request; a failure in the slot of one that it cannot answer.

        Raises:
            StoreCorrupt: the files of the model are not what they should be.
        """
        session = self._opened()
        began = time.perf_counter()
        known = self._words.read(text for request in requests for text in _texts(request))
        planned = [self._planned(request, known) for request in requests]
        work = [(one, _answers(entry)) for entry in planned for one in _passes(entry)]
        said = iter(session.map(work, partial(_look, session), lambda job: len(job[0].ids)))
        results = [[next(said) for _ in _passes(entry)] for entry in planned]
        tokens, seconds = sum(map(_tokens, planned)), time.perf_counter() - began
        self._spent = self._spent[0] + tokens, self._spent[1] + (seconds if tokens else 0.0)
        shares = [seconds * _tokens(entry) / max(tokens, 1) for entry in planned]
        return [self._reply(*one) for one in zip(planned, results, shares, strict=True)]

    def close(self) -> None:
        """Let go of the model and its threads; what was learnt of its speed is kept for later plans."""
        if self._session is not None:
            self._session.close()
        self._session = None
        if self._spent[0] >= _ENOUGH and (speed := self.facts.speed):
            speeds.keep(self._key, speed)

    def _opened(self) -> Session:
        if self._session is None:
            self._session = Session(self._weights, self._words, self._threads)
        return self._session

    def _planned(self, request: Request, known: Mapping[str, Tokens]) -> Planned:
        borders, longest = self._words.borders, self._weights.card.longest
        match request:
            case Rerank():
                return refusal(request) or Ranking.over(request, known, borders, longest)
            case Embed():
                return Embedding.over(request, known, borders, longest)
        name, kind = self._known.name, type(request).__name__
        return Failure("bad_request", f"{name} ranks, reads and embeds, it cannot answer {kind}")

    def _reply(self, planned: Planned, said: list[Any], seconds: float) -> Reply:
        card = self._weights.card
        match planned:
            case Ranking():
                return planned.reply(said, card.calibration, seconds)
            case Embedding():
                return planned.reply(said, card.width, seconds)
        return planned


def _texts(request: Request) -> tuple[str, ...]:
    """Everything whose tokens a request needs."""
    match request:
        case Rerank():
            return Ranking.read(request)
        case Embed():
            return request.texts
    return ()


def _passes(planned: Planned) -> Sequence[Pass | Alone]:
    return () if isinstance(planned, Failure) else planned.passes


def _answers(planned: Planned) -> int:
    if not isinstance(planned, Ranking):
        return 0
    return max(planned.request.answers, LOOKED if planned.request.units else 0)


def _tokens(planned: Planned) -> int:
    return sum(len(one.ids) for one in _passes(planned))


def _look(session: Session, job: tuple[Pass | Alone, int]) -> Seen | np.ndarray:
    """One pass, and what is read off it at once, so that the threads share that work too."""
    one, answers = job
    outputs = session.run(one)
    return seen(one, outputs, answers) if isinstance(one, Pass) else outputs.embedding
