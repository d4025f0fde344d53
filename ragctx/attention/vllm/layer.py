"""What one attention layer does at a call, whatever the device: a policy's index and our kernel, or not at all."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ragctx.attention.selection.summaries import Summaries
from ragctx.attention.vllm.batch import dense_index
from ragctx.attention.vllm.counts import Counts
from ragctx.attention.vllm.options import Options
from ragctx.errors import ConfigError

if TYPE_CHECKING:
    import torch

    from ragctx.attention.extents import Extent
    from ragctx.attention.index import BlockIndex
    from ragctx.attention.merge import Attended
    from ragctx.attention.positions import Rotation
    from ragctx.attention.selection.evidence import Evidence, Keys

log = logging.getLogger(__name__)
_told: set[str] = set()


@dataclass(frozen=True, slots=True)
class Step:
    """One call of one layer.

    Attributes:
        query: [tokens, heads, width], of all requests one after the other. output: where to write, of its shape.
        extents: of the requests; none where nothing can be said about them.
        held: keys and values. keys: of one request, by its number.
        kernel: ours.
        metadata: vLLM's own of the step, the same for every layer.
        causal: whether a token sees itself and what stands before it.
        prompts: which requests read their prompt, as against writing; none where nobody tells.
    """

    query: torch.Tensor
    output: torch.Tensor
    extents: tuple[Extent, ...]
    held: Any
    keys: Callable[[int], Keys]
    kernel: Callable[..., Attended]
    metadata: Any
    causal: bool
    prompts: tuple[bool, ...] = ()


@dataclass(slots=True)
class Layer:
    """The sparse side of an attention layer.

    Attributes:
        options: of the engine; None where it has none of ours. They may be changed between two steps.
        refused: why our kernel can never serve this layer; empty where it can.
        heads: KV heads. scale: of the scores. number: of the layer, from 0.
        rotation: how the model's vectors turn with their positions, where those are stretched.
        summaries: of the layer's cache, for rules of decoding that bound its tiles.
    """

    options: Options | None
    refused: str
    heads: int
    scale: float
    number: int = 0
    rotation: Rotation | None = None
    counts: Counts = field(default_factory=Counts)
    summaries: Summaries = field(default_factory=Summaries)

    def serves(self, made: Callable[[], Step]) -> bool:
        """Attend, if policy and kernel cover this call; False leaves it to vLLM, and is counted with the reason.

        Args:
            made: makes the call, once the layer turns out to be one that the kernel can serve.
        """
        options = self.options
        if options is None:
            return False
        if options.plain:
            return self._left("no policy")
        if self.refused:
            return self._left(self.refused)
        step = made()
        if not (step.causal and step.extents):
            why = "requests without queries" if step.causal else "attention that is not causal"
            _allow(options, step, why)
            return self._left(why)
        with self.counts.clocked("selection", options.clock):
            seen = [] if options.sparse is None else self._evidence(options, step)
            chosen = None if options.sparse is None else options.sparse.index(seen)
            index = chosen or self._whole(options, step)
        if index is None:
            return self._left("the policy covers none of the requests")
        with self.counts.clocked("own", options.clock):
            self._attend(options, step, index)
        self.counts.took(index)
        if chosen is not None:
            self.counts.measure(seen, chosen, options.measure)
        return True

    def _whole(self, options: Options, step: Step) -> BlockIndex | None:
        """The index of everything, where our kernel attends densely."""
        if options.dense == "own" or _stretched(options, step):
            return dense_index(step.metadata, step.extents, self.heads)
        return None

    def _evidence(self, options: Options, step: Step) -> list[Evidence]:
        from ragctx.attention.positions.evidence import shown
        from ragctx.attention.selection.evidence import Evidence

        seen, at = [], 0
        for request, extent in enumerate(step.extents):
            query = step.query[at : at + extent.queries]
            prompt = bool(step.prompts and step.prompts[request])
            own = Evidence(extent, query, step.keys(request), self.number, self.scale, prompt)
            if options.dual and self.rotation:  # below a chunk too, or what rows see would depend on the cut
                own = shown(own, options.dual, self.rotation)
            seen.append(own)
            at += extent.queries
        return seen

    def _attend(self, options: Options, step: Step, index: BlockIndex) -> None:
        from ragctx.attention.positions import attend

        if options.dual is None or self.rotation is None or not _stretched(options, step):
            step.kernel(step.query, step.held, index, scale=self.scale, output=step.output)
            return
        found = attend(step.query, step.held, index, options.dual, self.rotation, step.kernel, scale=self.scale)
        step.output.copy_(found.output)

    def _left(self, why: str) -> bool:
        self.counts.dense[why] += 1
        if why == self.refused and why not in _told:
            _told.add(why)
            log.warning("attention layer %d stays dense: %s", self.number, why)
        return False


def _stretched(options: Options, step: Step) -> bool:
    """Whether plain attention over this call would be another one, not only a slower one."""
    return options.dual is not None and any(extent.keys > options.dual.chunk for extent in step.extents)


def _allow(options: Options, step: Step, why: str) -> None:
    """Refuse to leave to vLLM what it would compute at positions that the model was never trained to.

    Raises:
        ConfigError: the step's longest text is beyond a chunk.
    """
    longest = max((extent.keys for extent in step.extents), default=getattr(step.metadata, "max_seq_len", 0))
    if options.dual is not None and longest > options.dual.chunk:
        raise ConfigError(
            f"positions beyond the trained ones do not go with {why}: keep texts to {options.dual.chunk} tokens, "
            "or leave out dual"
        )
