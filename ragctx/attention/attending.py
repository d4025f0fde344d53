"""A model's attention as one value: which policy, whose kernel, what positions, and what came of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from ragctx.attention.extents import BLOCK, Extent
from ragctx.attention.index import BlockIndex
from ragctx.attention.kernels.held import Rows
from ragctx.attention.positions import DualChunk, Rotation, attend
from ragctx.attention.positions.evidence import shown

if TYPE_CHECKING:
    import torch

    from ragctx.attention.merge import Attended
    from ragctx.attention.positions.segments import Kernel
    from ragctx.attention.selection.evidence import Evidence
    from ragctx.attention.selection.policy import Sparsity
    from ragctx.attention.vllm.counts import Counts

log = logging.getLogger(__name__)
OWN = "own"
"""What a fingerprint gains where dense attention is ours."""
dense = lru_cache(maxsize=4)(lambda extent, heads: BlockIndex.dense([extent], heads))  # one for all layers of a pass


@dataclass(slots=True)
class Attending:
    """Attention of single sequences by a policy and our kernels.

    Attributes:
        sparse: which tiles are seen; None is all of them.
        dual: positions beyond the training length; None leaves them as they are. rotation: the model's, for those.
        threads: of the compiled kernel; 0 takes as many as torch does.
        counts: what was done so far.
        measure: tiles of which one query is computed densely too, for the share of attention that the policy keeps
            (`counts.masses`); 0 measures nothing.
        own: whole tiles of queries attend densely by our kernel too, where one is compiled for them.
    """

    sparse: Sparsity | None = None
    dual: DualChunk | None = None
    rotation: Rotation | None = None
    threads: int = 0
    counts: Counts = field(default_factory=lambda: _counts())
    measure: int = 0
    own: bool = False

    @property
    def fingerprint(self) -> str:
        """A text that is equal for two of them exactly when they attend alike; empty for plain dense attention."""
        parts = (self.sparse and self.sparse.fingerprint, self.dual and self.dual.fingerprint, self.own and OWN)
        return ":".join(part for part in parts if part)

    def needed(self, keys: int) -> bool:
        """Whether plain attention over so many keys would be another one, not only a slower one."""
        return self.dual is not None and keys > self.dual.chunk

    def __call__(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        *,
        layer: int = 0,
        scale: float = 0.0,
        prompt: bool = False,
    ) -> torch.Tensor | None:
        """A sequence's last queries over all its keys; None where the caller shall attend densely itself.

        Args:
            query: [queries, heads, width], rotated.
            key: [keys, KV heads, width], rotated, the queries' own at the end.
            value: likewise.
            layer: number of the layer.
            scale: of the scores; 1 / sqrt(width) by default.
            prompt: whether the queries are surely a prompt's; a single one is else taken for a step.
        """
        extent = Extent(len(query), len(key))
        index = None
        if self.sparse:
            index = self._index(self.sparse, self._seen(extent, query, key, layer, scale, prompt))
        if index is None and not self.needed(extent.keys) and not (self.own and _compiled(query)):
            self.counts.dense["the policy does not cover it"] += 1
            return None
        index = index or dense(extent, key.shape[1])
        found = self._attended(query, Rows([key], [value]), index, scale)
        self.counts.took(index)
        return found.output

    def _index(self, policy: Sparsity, seen: Evidence) -> BlockIndex | None:
        index = policy.index([seen])
        if index is not None:
            self.counts.measure([seen], index, self.measure)
        return index

    def _seen(
        self, extent: Extent, query: torch.Tensor, key: torch.Tensor, layer: int, scale: float, prompt: bool
    ) -> Evidence:
        from ragctx.attention.selection.evidence import Evidence, Tensors

        seen = Evidence(extent, query, Tensors(key), layer, scale, prompt)
        if self.dual is not None and self.rotation is not None:
            return shown(seen, self.dual, self.rotation)
        return seen

    def _attended(self, query: torch.Tensor, held: Rows, index: BlockIndex, scale: float) -> Attended:
        kernel = fitting(query, self.threads)
        if self.dual is None or self.rotation is None or not self.needed(index.extents[0].keys):
            return kernel(query, held, index, scale=scale)
        return attend(query, held, index, self.dual, self.rotation, kernel, scale=scale)


def _compiled(query: torch.Tensor) -> bool:
    """Whether a compiled kernel is the one for a whole tile of queries; single ones gain nothing by it."""
    from ragctx.attention.kernels import choice

    return len(query) >= BLOCK and query.device.type == "cpu" and not choice.kernel(query.shape[-1], query.dtype).why


def policy(sparse: str | Mapping[str, object] | Sparsity | None) -> Sparsity | None:
    """The policy of an option: "off" is none, what has a fingerprint is one already, `Sparsity.of` takes the others."""
    if sparse is None or sparse == "off":
        return None
    if not isinstance(sparse, str | Mapping) and hasattr(sparse, "fingerprint"):
        return sparse
    from ragctx.attention.selection.policy import Sparsity

    return Sparsity.of(sparse)


def _counts() -> Counts:
    from ragctx.attention.vllm.counts import Counts

    return Counts()


def fitting(query: torch.Tensor, threads: int = 0) -> Kernel:
    """The kernel for queries of this width, kind of numbers and device.

    Args:
        query: [tokens, heads, width].
        threads: of a compiled kernel; 0 takes as many as torch does.
    """
    import torch

    from ragctx.attention.kernels import choice, torch_tiles

    chosen = choice.kernel(query.shape[-1], query.dtype)
    if query.device.type != "cpu":
        chosen = choice.Kernel("torch", torch_tiles.attend, f"the tensors are on {query.device}")
    if chosen.why:
        _told(chosen.why)
    return partial(chosen.attend, threads=threads or torch.get_num_threads())


@lru_cache(maxsize=8)
def _told(why: str) -> None:
    log.warning("attention runs in torch, more slowly: %s", why)
