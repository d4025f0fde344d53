"""What rankers from checkpoints have in common: weights that are read when needed, and their measured speed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Generic, TypeVar

from ragctx.errors import ConfigError
from ragctx.loading import LOADING
from ragctx.models import ModelFacts
from ragctx.types import Speed
from ragctx.work import Failure, Request, Rerank

N = TypeVar("N")


class CheckpointRanker(Generic[N]):
    """The part of a `BatchBackend` that does not depend on the network.

    Attributes:
        batch: the most requests wanted at once.

    Args:
        facts: of the model.
        network: reads the weights.
        threads: of torch, for the check alone.
        together: windows in one forward pass.

    Raises:
        ConfigError: an option makes no sense.
    """

    batch = 16

    def __init__(self, facts: ModelFacts, network: Callable[[], N], *, threads: int | None, together: int) -> None:
        for name, value in (("batch", together), ("threads", threads)):
            if value is not None and (type(value) is not int or value < 1):
                raise ConfigError(f"{facts.name}: {name} must be a whole number of at least 1, not {value!r}")
        self._facts, self._open, self._together = facts, network, together
        self._network: N | None = None
        self._spent = (0, 0.0)

    @property
    def facts(self) -> ModelFacts:
        """Its facts, with the speed measured so far."""
        tokens, seconds = self._spent
        return replace(self._facts, speed=Speed(prompt=tokens / seconds, output=1.0) if tokens and seconds else None)

    def close(self) -> None:
        """Let go of the weights."""
        self._network = None

    def _clock(self, tokens: int, seconds: float) -> None:
        self._spent = (self._spent[0] + tokens, self._spent[1] + seconds)

    def _loaded(self) -> N:
        if self._network is None:
            with LOADING:
                self._network = self._open()
        return self._network

    def _foreign(self, request: Request, does: str) -> Failure | None:
        """The failure of a request that no such ranker answers."""
        name = self._facts.name
        if not isinstance(request, Rerank):
            return Failure("bad_request", f"{name} {does} only, it cannot answer {type(request).__name__}")
        if request.answers:
            return Failure("bad_request", f"{name} points out no answers: ask the ranker 'extractive'")
        return None
