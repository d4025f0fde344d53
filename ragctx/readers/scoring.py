"""Log-probabilities of given tokens: many sequences at once, every shared beginning computed once.

Sequences lie side by side in one flat cache, those of a family behind the beginning that they share. They are computed
in few passes, short ones packed together, and the model's guesses over its whole vocabulary, a fifth of a small
model's work, are computed only at places whose next token is wanted.

This module imports torch; it is imported at the first request, never before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ragctx.readers.flat_attention import FlatCache, Laid, Layers, Part
from ragctx.readers.prefix import Group, PrefixStore, families

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ragctx.readers.local_model import LocalModel

HELD = 8192  # tokens whose keys and values are held at once, unless one sequence is longer


@dataclass(frozen=True, slots=True)
class Given:
    """A sequence whose tokens are scored.

    Attributes:
        tokens: ids, shape (n,). first: the place of the first token to score, at least 1 and below n.
        kept: so many tokens at the beginning are worth keeping for later calls.
    """

    tokens: NDArray[np.int32]
    first: int
    kept: int = 0

    @property
    def read(self) -> NDArray[np.int32]:
        """What has to be computed: all but the last token, which foretells nothing that is wanted."""
        return self.tokens[:-1]


@dataclass(slots=True)
class _Run:
    """Tokens that stand in the cache in one stretch: one sequence's own ones, or those that a family shares.

    Attributes:
        members: the sequences that hold them. slot: of the first of them.
        before: slots of what the family shares and these tokens follow. done: how many are computed already.
    """

    tokens: NDArray[np.int32]
    members: tuple[int, ...]
    slot: int
    before: tuple[int, int]
    done: int = 0

    @property
    def position(self) -> int:
        """Of the first of the tokens in its sequence."""
        return self.before[1] - self.before[0]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Tokens `begin` to `end` of a run, computed in one pass."""

    run: _Run
    begin: int
    end: int

    def __len__(self) -> int:
        return self.end - self.begin

    def part(self, row: int) -> Part:
        """What its tokens see, the first of them standing in this row of the pass."""
        run = self.run
        rows, keys, seen = (row, row + len(self)), (run.slot, run.slot + self.end), run.position + self.begin
        if not seen:
            return Part(rows, keys, causal=True, one=True, prompt=True)
        mask = torch.ones(len(self), seen + len(self), dtype=torch.bool).tril(seen)
        return Part(rows, keys, mask, before=run.before, one=True, prompt=True)


def score(
    model: LocalModel, store: PrefixStore[Layers], given: Sequence[Given], chunk: int
) -> list[NDArray[np.float64]]:
    """For each sequence the log-probability of every token from its `first` on.

    Args:
        model: what computes.
        store: prefix caches kept between calls.
        given: the sequences, in any order.
        chunk: tokens in one forward pass at most.
    """
    found = [np.full(len(one.tokens) - one.first, np.nan) for one in given]
    for held in _rounds(families([one.read for one in given], HELD), given):
        _Round(model, store, given, found, held).compute(chunk)
    return found


def _rounds(every: Sequence[Group], given: Sequence[Given]) -> Iterator[list[Group]]:
    """Families that fit the memory together."""
    held: list[Group] = []
    for family in every:
        if held and sum(_slots(one, given) for one in [*held, family]) > HELD:
            yield held
            held = []
        held.append(family)
    if held:
        yield held


def _slots(family: Group, given: Sequence[Given]) -> int:
    return family.prefix + sum(len(given[i].read) - family.prefix for i in family.members)


class _Round:
    """Families held at once in one cache."""

    def __init__(
        self,
        model: LocalModel,
        store: PrefixStore[Layers],
        given: Sequence[Given],
        found: Sequence[NDArray[np.float64]],
        held: Sequence[Group],
    ) -> None:
        self._model, self._store, self._given, self._found = model, store, given, found
        self._cache = FlatCache(sum(_slots(family, given) for family in held))
        self._shared: list[_Run] = []
        self._own: list[_Run] = []
        slot = 0
        for family in held:
            self._lay(family, slot)
            slot += _slots(family, given)

    def _lay(self, family: Group, start: int) -> None:
        slot = start + family.prefix
        if family.prefix:
            tokens = self._given[family.members[0]].read[: family.prefix]
            self._shared.append(_Run(tokens, family.members, start, (start, start)))
        for i in family.members:
            run = _Run(self._given[i].read[family.prefix :], (i,), slot, (start, start + family.prefix))
            self._own.append(run)
            slot += len(run.tokens)

    def compute(self, chunk: int) -> None:
        """Score every member: what families share first, then what is each one's own."""
        known = {run.slot: self._recall(run) for run in (*self._shared, *self._own) if not run.position}
        for runs in (self._shared, self._own):
            for pieces in _passes(runs, chunk):
                self._forward(pieces)
        for start, recalled in known.items():
            self._keep(start, recalled)

    def _recall(self, run: _Run) -> int:
        """Take what is kept of a beginning, as far as none of it is wanted; how many tokens that were."""
        unwanted = min(self._given[i].first for i in run.members) - 1
        run.done = self._cache.recall(self._store, run.tokens[:unwanted], run.slot) if unwanted > 0 else 0
        return run.done

    def _keep(self, start: int, recalled: int) -> None:
        """Keep the beginning of the one sequence that stands in the cache in one stretch from here on."""
        first = next(run for run in self._own if run.before[0] == start)
        given = self._given[first.members[0]]
        if given.kept - recalled > given.kept // 10:
            self._cache.keep(self._store, given.tokens[: given.kept], start)

    def _forward(self, pieces: Sequence[_Piece]) -> None:
        starts = [0, *np.cumsum([len(piece) for piece in pieces]).tolist()]
        places = [np.arange(piece.begin, piece.end) for piece in pieces]
        positions = np.concatenate([place + piece.run.position for place, piece in zip(places, pieces, strict=True)])
        slots = np.concatenate([place + piece.run.slot for place, piece in zip(places, pieces, strict=True)])
        tokens = np.concatenate([piece.run.tokens[piece.begin : piece.end] for piece in pieces])
        located = list(zip(pieces, starts[:-1], strict=True))
        parts = tuple(piece.part(row) for piece, row in located)
        wanted = [want for piece, row in located for i in piece.run.members if (want := self._wanted(piece, row, i))]
        rows = np.concatenate([want.rows for want in wanted] or [np.empty(0, np.int64)])
        targets = np.concatenate([self._given[want.of].tokens[want.places] for want in wanted] or [rows])
        values = self._model.logprobs(self._cache, Laid(tokens, positions, slots, parts), rows, targets)
        for want in wanted:
            self._found[want.of][want.into], values = values[: len(want.rows)], values[len(want.rows) :]

    def _wanted(self, piece: _Piece, row: int, of: int) -> _Want | None:
        """Which tokens of a sequence a piece foretells: each token foretells the one after it."""
        one, position = self._given[of], piece.run.position
        begin, end = max(position + piece.begin + 1, one.first), position + piece.end + 1
        if begin >= end:
            return None
        rows = np.arange(begin, end) - 1 - position - piece.begin + row
        return _Want(of, rows, slice(begin, end), slice(begin - one.first, end - one.first))


@dataclass(frozen=True, slots=True)
class _Want:
    """Rows of a pass that foretell the tokens at `places` of the sequence `of`, to be told `into` its results."""

    of: int
    rows: NDArray[np.int64]
    places: slice
    into: slice


def _passes(runs: Sequence[_Run], most: int) -> Iterator[list[_Piece]]:
    """Runs packed into passes of at most so many tokens; only a run that is longer than a pass is cut."""
    held: list[_Piece] = []
    room = most
    for run in runs:
        for begin in range(run.done, len(run.tokens), most):
            piece = _Piece(run, begin, min(begin + most, len(run.tokens)))
            if len(piece) > room:
                yield held
                held, room = [], most
            held.append(piece)
            room -= len(piece)
    if held:
        yield held
