"""Serves relevance and the weights of sentences from a Provence checkpoint."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ragctx.contracts import Emit
from ragctx.encoders.checkpoint_ranker import CheckpointRanker
from ragctx.encoders.provence.checkpoint import Checkpoint
from ragctx.encoders.provence.pairs import Pairs
from ragctx.encoders.windows import Range, Window, pooled
from ragctx.models import ModelFacts
from ragctx.work import Failure, Relevances, Reply, Request, Rerank

if TYPE_CHECKING:
    from ragctx.encoders.provence.network import Network

LICENCE = "{}: weights of Naver's Provence come under CC BY-NC 4.0, not for commercial use"
Seen = list[tuple[Window, float, list[float]]]


class ProvenceRanker(CheckpointRanker["Network"]):
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
        self.note = LICENCE.format(name) if checkpoint.kind == "provence" else ""
        self._pairs = Pairs(checkpoint)
        facts = ModelFacts(
            f"provence:{name}",
            self._pairs.counter,
            identity=f"provence:{checkpoint.identity}:{checkpoint.longest}",
            kinds=frozenset({"Rerank", "Prune"}),
        )
        network = partial(_network, checkpoint, device, threads)
        super().__init__(facts, network, threads=threads, together=batch)

    def serve(self, requests: Sequence[Request], emit: Emit) -> Sequence[Reply]:
        """Relevances for every `Rerank`; a failure in the slot of anything else."""
        return [self._reply(request) for request in requests]

    def _reply(self, request: Request) -> Reply:
        if refused := self._foreign(request, "ranks"):
            return refused
        assert isinstance(request, Rerank)
        if any(given and len(given) != len(request.texts) for given in (request.titles, request.units)):
            return Failure("bad_request", "titles and units come one for each text, or not at all")
        began = time.perf_counter()
        seen = self._read(request)
        seconds = time.perf_counter() - began
        tokens = sum(len(window.ids) for parts in seen for window, _, _ in parts)
        self._clock(tokens, seconds)
        values = tuple(max((relevance for _, relevance, _ in parts), default=0.0) for parts in seen)
        keeps = tuple(_pooled(parts, units) for parts, units in zip(seen, request.units, strict=bool(request.units)))
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
        for at in range(0, len(windows), self._together):
            group = windows[at : at + self._together]
            weights = self._loaded().weigh([window.ids for _, window in group])
            for (number, window), (relevance, needed) in zip(group, weights, strict=True):
                first = window.first
                seen[number].append((window, relevance, needed[first : first + len(window.places)]))
        return seen


def _network(checkpoint: Checkpoint, device: str, threads: int | None) -> Network:
    from ragctx.encoders.provence.network import Network

    return Network(checkpoint, device, threads)


def _pooled(parts: Seen, units: Sequence[Range]) -> tuple[float, ...]:
    places = [place for window, _, _ in parts for place in window.places]
    return pooled(places, np.array([one for _, _, weights in parts for one in weights]), units)
