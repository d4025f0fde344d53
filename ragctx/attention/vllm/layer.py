"""What one attention layer does at a call, whatever the device: a policy's index and our kernel, or not at all."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ragctx.attention.vllm.batch import dense_index
from ragctx.attention.vllm.counts import Counts
from ragctx.attention.vllm.options import Options

if TYPE_CHECKING:
    import torch

    from ragctx.attention.extents import Extent
    from ragctx.attention.index import BlockIndex
    from ragctx.attention.merge import Attended
    from ragctx.attention.selection.evidence import Keys

log = logging.getLogger(__name__)
_told: set[str] = set()


@dataclass(frozen=True, slots=True)
class Step:
    """One call of one layer.

    Attributes:
        query: [tokens, heads, width], of all requests one after the other. output: where to write, of its shape.
        extents: of the requests; none where nothing can be said about them.
        keys: of one request, by its number.
        attend: our kernel over this call's keys and values.
        metadata: vLLM's own of the step, the same for every layer.
        causal: whether a token sees itself and what stands before it.
    """

    query: torch.Tensor
    output: torch.Tensor
    extents: tuple[Extent, ...]
    keys: Callable[[int], Keys]
    attend: Callable[[BlockIndex], Attended]
    metadata: Any
    causal: bool


@dataclass(slots=True)
class Layer:
    """The sparse side of an attention layer.

    Attributes:
        options: of the engine; None where it has none of ours. They may be changed between two steps.
        refused: why our kernel can never serve this layer; empty where it can.
        heads: KV heads. scale: of the scores. number: of the layer, from 0.
    """

    options: Options | None
    refused: str
    heads: int
    scale: float
    number: int = 0
    counts: Counts = field(default_factory=Counts)

    def serves(self, made: Callable[[], Step]) -> bool:
        """Attend, if policy and kernel cover this call; False leaves it to vLLM, and is counted with the reason.

        Args:
            made: makes the call, once the layer turns out to be one that the kernel can serve.
        """
        options = self.options
        if options is None:
            return False
        if options.sparse is None and options.dense == "stock":
            return self._left("no policy")
        if self.refused:
            return self._left(self.refused)
        step = made()
        if not (step.causal and step.extents):
            return self._left("requests without queries" if step.causal else "attention that is not causal")
        with self.counts.clocked("selection", options.clock):
            index = self._index(options, step)
        if index is None:
            return self._left("the policy covers none of the requests")
        with self.counts.clocked("own", options.clock):
            step.attend(index)
        self.counts.took(index)
        return True

    def _index(self, options: Options, step: Step) -> BlockIndex | None:
        index = None if options.sparse is None else options.sparse.index(self._evidence(step))
        if index is None and options.dense == "own":
            return dense_index(step.metadata, step.extents, self.heads)
        return index

    def _evidence(self, step: Step) -> list[Any]:
        from ragctx.attention.selection.evidence import Evidence

        seen, at = [], 0
        for request, extent in enumerate(step.extents):
            query = step.query[at : at + extent.queries]
            seen.append(Evidence(extent, query, step.keys(request), self.number, self.scale))
            at += extent.queries
        return seen

    def _left(self, why: str) -> bool:
        self.counts.dense[why] += 1
        if why == self.refused and why not in _told:
            _told.add(why)
            log.warning("attention layer %d stays dense: %s", self.number, why)
        return False
