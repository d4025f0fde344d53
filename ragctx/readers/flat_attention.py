"""One flat key/value buffer for many sequences, and the attention that looks at each sequence's part of it.

All sequences of a group live side by side in one buffer of one batch row: `[shared prefix | sequence 1 | sequence
2 | ...]`. A forward pass takes any tokens of any of them at once; `Part`s say which queries see which keys. A shared
prefix is therefore held and read once, however many sequences continue it, and nothing is padded.

This module imports torch; it is imported at the first request, never before.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AttentionInterface
from transformers.cache_utils import Cache

if TYPE_CHECKING:
    from ragctx.attention.attending import Attending
    from ragctx.readers.prefix import PrefixStore

NAME = "ragctx_flat"
Layers = list[tuple[torch.Tensor, torch.Tensor]]
_now = threading.local()  # the parts of the forward pass this thread is in, and how they attend


@dataclass(frozen=True, slots=True)
class Part:
    """Queries `rows` see keys `keys` (half-open ranges), narrowed by `mask` of shape (queries, keys) where given.

    With `causal`, keys and queries are the same tokens and each sees itself and what stands before it. The keys
    `before` come first, wherever they stand in the buffer. With `one`, the keys are one sequence, the queries its last
    tokens, and the mask says no more than that. A `prompt` is read, were it a single token; else one token is a step.
    """

    rows: tuple[int, int]
    keys: tuple[int, int]
    mask: torch.Tensor | None = None
    causal: bool = False
    before: tuple[int, int] = (0, 0)
    one: bool = False
    prompt: bool = False

    def seen(self, buffer: torch.Tensor) -> torch.Tensor:
        """The keys, or values, that the queries look at."""
        begin, end = self.before
        if begin == end or end == self.keys[0]:
            return buffer[:, :, begin if begin < end else self.keys[0] : self.keys[1]]
        return torch.cat((buffer[:, :, begin:end], buffer[:, :, slice(*self.keys)]), dim=2)

    @classmethod
    def of_one(cls, start: int, begin: int, end: int) -> Part:
        """Tokens `begin` to `end` of the one sequence whose first slot is `start`."""
        if begin == 0:
            return cls((0, end), (start, start + end), causal=True, one=True, prompt=True)
        mask = torch.ones(end - begin, end, dtype=torch.bool).tril(begin)
        return cls((0, end - begin), (start, start + end), mask, one=True, prompt=True)


class Laid(NamedTuple):
    """The tokens of one forward pass, and where they belong.

    Attributes:
        tokens: ids, shape (n,). positions: of each in its own sequence. slots: of each in the cache, increasing.
        parts: which of them see which slots, together covering the tokens in order.
    """

    tokens: NDArray[np.int32]
    positions: NDArray[np.int64]
    slots: NDArray[np.int64]
    parts: tuple[Part, ...]


class FlatCache(Cache):  # type: ignore[misc]  # transformers has no types here
    """Keys and values of every layer, each of shape (1, heads, capacity, head dimension), written in place.

    Args:
        capacity: tokens it has room for.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__(layers=[])
        self.capacity = capacity
        self.keys: list[torch.Tensor] = []
        self.values: list[torch.Tensor] = []
        self._slots: torch.Tensor | slice = slice(0, 0)

    def aim(self, laid: Laid, attending: Attending | None = None) -> None:
        """Say where the next forward pass writes its tokens, what they see, and how where that is not plainly."""
        slots = laid.slots
        contiguous = int(slots[-1] - slots[0]) + 1 == len(slots)
        self._slots = slice(int(slots[0]), int(slots[-1]) + 1) if contiguous else torch.as_tensor(slots)
        _now.parts, _now.attending = laid.parts, attending

    def update(
        self,
        key_states: torch.Tensor,
        value_states: torch.Tensor,
        layer_idx: int,
        *_: Any,  # noqa: ANN401 - what other caches take
        **__: Any,  # noqa: ANN401
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write one layer's new keys and values; returns the whole buffers."""
        self._make_room(layer_idx, key_states, value_states)
        self.keys[layer_idx][:, :, self._slots] = key_states
        self.values[layer_idx][:, :, self._slots] = value_states
        return self.keys[layer_idx], self.values[layer_idx]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Zero: there is no one length; positions are always given."""
        return 0

    def recall(self, store: PrefixStore[Layers], tokens: NDArray[np.int32], start: int) -> int:
        """Write what is kept of a beginning to slot `start` on; how many of the tokens that were."""
        known, layers = store.longest(tokens)
        if layers is not None:
            self._load(layers, start, known)
        return known

    def keep(self, store: PrefixStore[Layers], tokens: NDArray[np.int32], start: int) -> None:
        """Keep a copy of these tokens' keys and values, which stand from slot `start` on, if there is room for it."""
        cut, count = slice(start, start + len(tokens)), len(tokens)
        needs = sum(buffer.nbytes for buffer in (*self.keys, *self.values)) * count // self.capacity
        if store.takes(count, needs):
            pairs = zip(self.keys, self.values, strict=True)
            store.put(tokens, [(key[:, :, cut].clone(), value[:, :, cut].clone()) for key, value in pairs], needs)

    def _load(self, layers: Layers, start: int, tokens: int) -> None:
        with torch.inference_mode():  # a forward pass may have made the buffers; they may be written in this mode only
            for i, (key, value) in enumerate(layers):
                self._make_room(i, key, value)
                self.keys[i][:, :, start : start + tokens] = key[:, :, :tokens]
                self.values[i][:, :, start : start + tokens] = value[:, :, :tokens]

    def _make_room(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> None:
        if layer == len(self.keys):
            self.keys.append(key.new_zeros((1, key.shape[1], self.capacity, key.shape[3])))
            self.values.append(value.new_zeros((1, value.shape[1], self.capacity, value.shape[3])))


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **_: Any,  # noqa: ANN401
) -> tuple[torch.Tensor, None]:
    """The attention function transformers calls: every part on its own, outputs joined along the queries."""
    layer = int(getattr(module, "layer_idx", 0))
    outputs = []
    for part in _now.parts:
        states = query[:, :, slice(*part.rows)], part.seen(key), part.seen(value)
        told = {"layer": layer, "scale": scaling or 0.0, "prompt": part.prompt}
        own = _sparsely(*states, told) if part.one and _now.attending is not None else None
        outputs.append(_plainly(part, *states, scaling) if own is None else own)
    joined = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=2)
    return joined.transpose(1, 2).contiguous(), None


def _plainly(
    part: Part, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float | None
) -> torch.Tensor:
    output: torch.Tensor = torch.nn.functional.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=part.mask,
        is_causal=part.causal,
        scale=scaling,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return output


def _sparsely(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, told: Mapping[str, Any]
) -> torch.Tensor | None:
    """By the reader's policy; None where that does not cover this sequence."""
    states = (each[0].transpose(0, 1) for each in (query, key, value))
    output: torch.Tensor | None = _now.attending(*states, **told)
    return None if output is None else output.transpose(0, 1)[None]


AttentionInterface.register(NAME, _attend)
