"""Serves how much each word of a text tells, from an LLMLingua-2 checkpoint."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ragctx.contracts import Emit
from ragctx.encoders.checkpoint_ranker import CheckpointRanker
from ragctx.encoders.llmlingua2.checkpoint import Checkpoint
from ragctx.encoders.llmlingua2.windows import Windows
from ragctx.encoders.windows import Window, pooled
from ragctx.models import ModelFacts
from ragctx.work import Failure, Relevances, Reply, Request, Rerank

if TYPE_CHECKING:
    from ragctx.encoders.llmlingua2.network import Network


class WordRanker(CheckpointRanker["Network"]):
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
        self._windows = Windows(checkpoint)
        facts = ModelFacts(
            f"llmlingua2:{name}",
            self._windows.counter,
            identity=f"llmlingua2:{checkpoint.identity}:{checkpoint.longest}",
            kinds=frozenset({"Rerank", "Prune", "Words"}),
        )
        network = partial(_network, checkpoint, device, threads)
        super().__init__(facts, network, threads=threads, together=batch)

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

    def _refused(self, request: Request) -> Failure | None:
        if foreign := self._foreign(request, "weighs words"):
            return foreign
        assert isinstance(request, Rerank)
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
            self._clock(tokens, seconds)
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


def _network(checkpoint: Checkpoint, device: str, threads: int | None) -> Network:
    from ragctx.encoders.llmlingua2.network import Network

    return Network(checkpoint, device, threads)
