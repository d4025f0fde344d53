"""Takes one group of prompts from the first token to the last.

Every prompt's own tokens get a stretch of one flat cache. In a group with a shared prefix, that prefix is computed
once, the rest of all prompts is packed into few forward passes, and every decoding step is one pass over all
unfinished sequences.
This module imports torch; it is imported at the first request, never before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ragctx.readers.flat_attention import FlatCache, Laid, Layers, Part
from ragctx.readers.prefix import PrefixStore
from ragctx.readers.sampling import Picker

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ragctx.readers.local_model import LocalModel


@dataclass(slots=True)
class Continuation:
    """One prompt being continued.

    Attributes:
        prompt: token ids. room: tokens it may write at most.
        pick: chooses a token from logits. take: told the token and its log-probability, says whether to go on.
        start: slot of its first own token, that is of prompt token `shared`. length: prompt and written tokens so far.
        cached: prompt tokens that were not computed for it.
    """

    prompt: NDArray[np.int32]
    room: int
    pick: Picker
    take: Callable[[int, float], bool]
    start: int = 0
    length: int = 0
    last: int = 0
    cached: int = 0


class Decoding:
    """One group's cache and its computation.

    Args:
        model: what computes. store: prefix caches kept between groups.
        members: the prompts. shared: tokens all of them begin with and share; 0 computes each on its own.
        chunk: prompt tokens in one forward pass at most.
    """

    def __init__(
        self,
        model: LocalModel,
        store: PrefixStore[Layers],
        members: Sequence[Continuation],
        shared: int,
        chunk: int,
    ) -> None:
        self._model, self._store, self._members, self._shared, self._chunk = model, store, members, shared, chunk
        end = shared
        for member in members:
            member.start = end
            end += len(member.prompt) - shared + member.room
        self._cache = FlatCache(end)

    def run(self) -> None:
        """Continue every member until its `take` says that it is done."""
        first = self._together() if self._shared else self._one_by_one()
        active = [member for member, logits in first if self._advance(member, logits)]
        while active:
            logits = self._step(active)
            active = [member for member, row in zip(active, logits, strict=True) if self._advance(member, row)]

    def _advance(self, member: Continuation, logits: torch.Tensor) -> bool:
        member.last, logprob = member.pick(logits)
        member.length += 1
        return member.take(member.last, logprob)

    def _one_by_one(self) -> Iterator[tuple[Continuation, torch.Tensor]]:
        for member in self._members:
            logits = self._compute(member.prompt, member.start, member)
            member.length = len(member.prompt)
            yield member, logits

    def _together(self) -> Iterator[tuple[Continuation, torch.Tensor]]:
        first, *others = self._members
        self._compute(first.prompt[: self._shared], 0, first)
        for member in others:
            member.cached = self._shared
        owner, place = self._packed()
        tokens = np.concatenate([member.prompt[self._shared :] for member in self._members])
        starts = np.asarray([member.start for member in self._members])
        lengths = np.asarray([len(member.prompt) - self._shared for member in self._members])
        for begin in range(0, len(tokens), self._chunk):
            cut = slice(begin, begin + self._chunk)
            slots = (starts[owner] + place)[cut]
            mask = self._sees(starts[owner[cut]], slots)
            rows = np.flatnonzero((place == lengths[owner] - 1)[cut])
            part = Part((0, len(slots)), (0, mask.shape[1]), mask)
            laid = Laid(tokens[cut], self._shared + place[cut], slots, (part,))
            logits = self._model.forward(self._cache, laid, rows.tolist())
            for row, i in zip(logits, owner[cut][rows], strict=True):
                self._members[i].length = len(self._members[i].prompt)
                yield self._members[i], row

    def _packed(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For every own prompt token, one member's after another's: whose it is, and which of that member's."""
        lengths = [len(member.prompt) - self._shared for member in self._members]
        owner = np.repeat(np.arange(len(lengths)), lengths)
        return owner, np.concatenate([np.arange(length) for length in lengths])

    def _sees(self, starts: NDArray[np.int64], slots: NDArray[np.int64]) -> torch.Tensor:
        """Each query sees the shared prefix, and its own sequence from its start up to itself."""
        column = torch.arange(int(slots.max()) + 1)
        own = (column >= torch.as_tensor(starts)[:, None]) & (column <= torch.as_tensor(slots)[:, None])
        return own | (column < self._shared)

    def _compute(self, tokens: NDArray[np.int32], start: int, member: Continuation) -> torch.Tensor:
        """Prefill one run of tokens from its beginning, as far as no kept cache holds it; the last one's logits."""
        known = member.cached = self._cache.recall(self._store, tokens[:-1], start)
        logits = torch.empty(0)
        for begin in range(known, len(tokens), self._chunk):
            end = min(begin + self._chunk, len(tokens))
            places = np.arange(begin, end)
            parts = (Part.of_one(start, begin, end),)
            laid = Laid(tokens[begin:end], places, start + places, parts)
            logits = self._model.forward(self._cache, laid, [end - begin - 1])
        if len(tokens) - known >= max(32, len(tokens) // 10):  # otherwise nearly all of it is kept already
            self._cache.keep(self._store, tokens, start)
        return logits[0]

    def _step(self, active: Sequence[Continuation]) -> torch.Tensor:
        """One token for every unfinished sequence, in one forward pass."""
        positions = np.asarray([member.length - 1 for member in active])
        starts = np.asarray([member.start for member in active])
        slots = starts + positions - self._shared
        tokens = np.asarray([member.last for member in active], dtype=np.int32)
        laid = Laid(tokens, positions, slots, self._parts(starts, slots))
        return self._model.forward(self._cache, laid, range(len(active)))

    def _parts(self, starts: NDArray[np.int64], slots: NDArray[np.int64]) -> tuple[Part, ...]:
        if self._shared:
            mask = self._sees(starts, slots)
            return (Part((0, len(slots)), (0, mask.shape[1]), mask),)
        ends = [(int(start), int(slot) + 1) for start, slot in zip(starts, slots, strict=True)]
        return tuple(Part((i, i + 1), keys, one=True) for i, keys in enumerate(ends))
