"""Serves relevance and the weights of sentences from a Provence checkpoint."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ragctx.contracts import Emit
from ragctx.encoders.provence.checkpoint import Checkpoint
from ragctx.encoders.provence.pairs import Pairs, Window
from ragctx.errors import ConfigError
from ragctx.loading import LOADING
from ragctx.models import ModelFacts
from ragctx.types import Speed
from ragctx.work import Failure, Relevances, Reply, Request, Rerank

if TYPE_CHECKING:
    from ragctx.encoders.provence.network import Network

LICENCE = "{}: weights of Naver's Provence come under CC BY-NC 4.0, not for commercial use"
_REQUESTS = 16
Seen = list[tuple[Window, float, list[float]]]


class ProvenceRanker:
    """Answers `Rerank`, with units, from a checkpoint on this machine; a `BatchBackend`.

    A text longer than a window is read in several; its relevance is the best of theirs. A unit's weight is the mean of
    its tokens' probabilities, wherever they were read (OpenProvence's rule). A text without a visible token is worth 0,
    and so is such a unit. Relevances are the ranking head's logits through a sigmoid: they order, and are probabilities
    only as far as the checkpoint was trained to make them so.

    Attributes:
        note: what users of these weights have to know; pipelines repeat it.
        batch: the most requests wanted at once.
    """

    def __init__(
        self, name: str, checkpoint: Checkpoint, *, threads: int | None = None, device: str = "cpu", batch: int = 1
    ) -> None:
        if batch < 1 or (threads is not None and threads < 1):
            raise ConfigError(f"batch={batch} and threads={threads} must be at least 1")
        self.batch = _REQUESTS
        self.note = LICENCE.format(name) if checkpoint.kind == "provence" else ""
        self._checkpoint, self._threads, self._device, self._windows = checkpoint, threads, device, batch
        self._pairs = Pairs(checkpoint)
        self._network: Network | None = None
        self._spent = (0, 0.0)
        self._facts = ModelFacts(
            f"provence:{name}",
            self._pairs.counter,
            identity=f"provence:{checkpoint.identity}:{checkpoint.longest}",
            kinds=frozenset({"Rerank", "Prune"}),
        )

    @property
    def facts(self) -> ModelFacts:
        """Its facts, with the speed measured so far."""
        tokens, seconds = self._spent
        return replace(self._facts, speed=Speed(prompt=tokens / seconds, output=1.0) if tokens and seconds else None)

    def serve(self, requests: Sequence[Request], emit: Emit) -> Sequence[Reply]:
        """Relevances for every `Rerank`; a failure in the slot of anything else."""
        return [self._reply(request) for request in requests]

    def close(self) -> None:
        """Let go of the weights."""
        self._network = None

    def _reply(self, request: Request) -> Reply:
        if not isinstance(request, Rerank):
            return Failure("bad_request", f"{self._facts.name} ranks only, it cannot answer {type(request).__name__}")
        if request.answers:
            return Failure("bad_request", f"{self._facts.name} points out no answers: ask the ranker 'extractive'")
        if any(given and len(given) != len(request.texts) for given in (request.titles, request.units)):
            return Failure("bad_request", "titles and units come one for each text, or not at all")
        began = time.perf_counter()
        seen = self._read(request)
        seconds = time.perf_counter() - began
        tokens = sum(len(window.ids) for parts in seen for window, _, _ in parts)
        self._spent = (self._spent[0] + tokens, self._spent[1] + seconds)
        values = tuple(max((relevance for _, relevance, _ in parts), default=0.0) for parts in seen)
        keeps = tuple(pooled(parts, units) for parts, units in zip(seen, request.units, strict=bool(request.units)))
        return Relevances(values, tokens, seconds, keeps)

    def _read(self, request: Rerank) -> list[Seen]:
        """For each text its windows and what the network says of them."""
        titles = request.titles or ("",) * len(request.texts)
        units = request.units or ((),) * len(request.texts)
        windows = [
            (number, window)
            for number, (title, text, cut) in enumerate(zip(titles, request.texts, units, strict=True))
            for window in self._pairs.windows(request.query, title, text, cut)
        ]
        seen: list[Seen] = [[] for _ in request.texts]
        # Like lengths share a pass, so that little is padded.
        windows.sort(key=lambda one: len(one[1].ids))
        for at in range(0, len(windows), self._windows):
            group = windows[at : at + self._windows]
            weights = self._loaded().weigh([window.ids for _, window in group])
            for (number, window), (relevance, needed) in zip(group, weights, strict=True):
                first = window.first
                seen[number].append((window, relevance, needed[first : first + len(window.places)]))
        return seen

    def _loaded(self) -> Network:
        if self._network is None:
            with LOADING:
                from ragctx.encoders.provence.network import Network

                self._network = Network(self._checkpoint, self._device, self._threads)
        return self._network


def pooled(parts: Seen, units: Sequence[tuple[int, int]]) -> tuple[float, ...]:
    """For each unit the mean of its tokens' probabilities; a token belongs where its last character stands.

    Example:
        >>> window = Window([0, 0, 0], 0, [(0, 4), (4, 7), (8, 12)])
        >>> pooled([(window, 0.5, [0.2, 0.4, 0.9])], [(0, 7), (8, 12), (12, 13)])
        (0.3, 0.9, 0.0)
    """
    places = [place for window, _, _ in parts for place in window.places]
    lasts = np.array([end - 1 if end > start else -1 for start, end in places], dtype=np.int64)
    needed = np.array([one for _, _, weights in parts for one in weights])
    return tuple(_mean(needed[(lasts >= start) & (lasts < end)]) for start, end in units)


def _mean(weights: np.ndarray) -> float:
    return round(float(weights.mean()), 6) if len(weights) else 0.0
