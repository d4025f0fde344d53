"""Serves how much each word of a text tells, from an LLMLingua-2 checkpoint."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ragctx.contracts import Emit
from ragctx.encoders.llmlingua2.checkpoint import Checkpoint
from ragctx.encoders.llmlingua2.windows import Window, Windows
from ragctx.errors import ConfigError
from ragctx.loading import LOADING
from ragctx.models import ModelFacts
from ragctx.types import Speed
from ragctx.work import Failure, Relevances, Reply, Request, Rerank

if TYPE_CHECKING:
    from ragctx.encoders.llmlingua2.network import Network

Range = tuple[int, int]
_REQUESTS = 16


class WordRanker:
    """Answers `Rerank` with units from a checkpoint on this machine; a `BatchBackend`.

    Queries and titles are not read: what a text tells is told without a question, so one reply serves all of them. It
    says so by the kind "Words" in its facts. A text's relevance is the mean of its tokens' probabilities to be kept, a
    unit's weight that of its own; of no token it is 0. A long text is read in windows, which end where sentences do.

    Attributes:
        batch: the most requests wanted at once.
    """

    def __init__(
        self, name: str, checkpoint: Checkpoint, *, threads: int | None = None, device: str = "cpu", batch: int = 1
    ) -> None:
        if batch < 1 or (threads is not None and threads < 1):
            raise ConfigError(f"batch={batch} and threads={threads} must be at least 1")
        self.batch = _REQUESTS
        self._checkpoint, self._threads, self._device, self._together = checkpoint, threads, device, batch
        self._windows = Windows(checkpoint)
        self._network: Network | None = None
        self._spent = (0, 0.0)
        self._facts = ModelFacts(
            f"llmlingua2:{name}",
            self._windows.counter,
            identity=f"llmlingua2:{checkpoint.identity}:{checkpoint.longest}",
            kinds=frozenset({"Rerank", "Prune", "Words"}),
        )

    @property
    def facts(self) -> ModelFacts:
        """Its facts, with the speed measured so far."""
        tokens, seconds = self._spent
        return replace(self._facts, speed=Speed(prompt=tokens / seconds, output=1.0) if tokens and seconds else None)

    def serve(self, requests: Sequence[Request], emit: Emit) -> Sequence[Reply]:
        """Weights for every `Rerank`, all texts of a list read together; a failure in the slot of anything else."""
        replies: list[Reply] = [self._refused(request) or Relevances(()) for request in requests]
        asked = [
            (i, r) for i, (r, reply) in enumerate(zip(requests, replies, strict=True))
            if isinstance(r, Rerank) and isinstance(reply, Relevances)
        ]  # fmt: skip
        for (i, _), reply in zip(asked, self._weighed([request for _, request in asked]), strict=True):
            replies[i] = reply
        return replies

    def close(self) -> None:
        """Let go of the weights."""
        self._network = None

    def _refused(self, request: Request) -> Failure | None:
        name = self._facts.name
        if not isinstance(request, Rerank):
            return Failure("bad_request", f"{name} weighs words only, it cannot answer {type(request).__name__}")
        if request.answers:
            return Failure("bad_request", f"{name} points out no answers: ask the ranker 'extractive'")
        if request.units and len(request.units) != len(request.texts):
            return Failure("bad_request", "units come one list for each text, or not at all")
        return None

    def _weighed(self, requests: Sequence[Rerank]) -> list[Relevances]:
        windows = [[self._windows.of(text) for text in request.texts] for request in requests]
        kept = iter(self._read([window for texts in windows for parts in texts for window in parts]))
        replies = []
        for request, texts in zip(requests, windows, strict=True):
            began = time.perf_counter()
            seen = [[(window, *next(kept)) for window in parts] for parts in texts]
            weights = [np.concatenate([w for _, w, _ in parts]) if parts else np.zeros(0) for parts in seen]
            places = [[place for window, _, _ in parts for place in window.places] for parts in seen]
            keeps = tuple(
                pooled(spots, values, units)
                for spots, values, units in zip(places, weights, request.units, strict=True)
            ) if request.units else ()  # fmt: skip
            tokens = sum(len(window.ids) for parts in seen for window, _, _ in parts)
            seconds = sum(spent for parts in seen for _, _, spent in parts) + time.perf_counter() - began
            values = tuple(round(float(one.mean()), 6) if len(one) else 0.0 for one in weights)
            self._spent = (self._spent[0] + tokens, self._spent[1] + seconds)
            replies.append(Relevances(values, tokens, seconds, keeps))
        return replies

    def _read(self, windows: Sequence[Window]) -> list[tuple[np.ndarray, float]]:
        """For each window the weights of its text's tokens, and its share of the seconds."""
        found: list[tuple[np.ndarray, float]] = [(np.zeros(0), 0.0)] * len(windows)
        # Like lengths share a pass, so that little is padded.
        order = sorted(range(len(windows)), key=lambda i: len(windows[i].ids))
        for at in range(0, len(order), self._together):
            group = order[at : at + self._together]
            network = self._loaded()
            began = time.perf_counter()
            weights = network.weigh([windows[i].ids for i in group])
            seconds = (time.perf_counter() - began) / len(group)
            for i, one in zip(group, weights, strict=True):
                first = windows[i].first
                found[i] = np.array(one[first : first + len(windows[i].places)]), seconds
        return found

    def _loaded(self) -> Network:
        if self._network is None:
            with LOADING:
                from ragctx.encoders.llmlingua2.network import Network

                self._network = Network(self._checkpoint, self._device, self._threads)
        return self._network


def pooled(places: Sequence[Range], weights: np.ndarray, units: Sequence[Range]) -> tuple[float, ...]:
    """For each unit the mean of its tokens' weights; a token belongs where its last character stands.

    Args:
        places: characters [start, end) of each token, in order; shape (tokens, 2).
        weights: of each token, shape (tokens,).
        units: characters [start, end), in any order.

    Example:
        >>> pooled([(0, 4), (4, 7), (8, 12)], np.array([0.2, 0.4, 0.9]), [(0, 7), (8, 12), (12, 13)])
        (0.3, 0.9, 0.0)
    """
    if not len(places) or not len(units):
        return (0.0,) * len(units)
    spots, ranges = np.array(places, dtype=np.int64), np.array(units, dtype=np.int64)
    real = spots[:, 1] > spots[:, 0]
    lasts = spots[real, 1] - 1
    order = np.argsort(lasts, kind="stable")
    lasts, sums = lasts[order], np.concatenate([[0.0], np.cumsum(weights[real][order])])
    low, high = np.searchsorted(lasts, ranges[:, 0]), np.searchsorted(lasts, ranges[:, 1])
    counts = np.maximum(high - low, 0)
    means = np.where(counts > 0, (sums[np.maximum(high, low)] - sums[low]) / np.maximum(counts, 1), 0.0)
    return tuple(np.clip(means, 0.0, 1.0).round(6).tolist())
