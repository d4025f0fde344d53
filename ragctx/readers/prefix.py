"""Which prompts share their beginning, and a bounded store of what was computed for beginnings seen before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T")
SHORTEST = 128  # tokens; recomputing less than this costs less than keeping it


def common(first: NDArray[np.int32], second: NDArray[np.int32]) -> int:
    """How many tokens two prompts share from their beginning.

    Example:
        >>> common(np.array([5, 6, 7], np.int32), np.array([5, 6, 9, 9], np.int32))
        2
    """
    n = min(len(first), len(second))
    differs = first[:n] != second[:n]
    return int(differs.argmax()) if differs.any() else n


@dataclass(frozen=True, slots=True)
class Group:
    """Prompts computed together.

    Attributes:
        members: indices of the prompts.
        prefix: tokens all of them share and compute once; 0 where each stands for itself.
    """

    members: tuple[int, ...]
    prefix: int


def groups(
    prompts: Sequence[NDArray[np.int32]], most: int, room: Sequence[int], tokens: int, *, share: bool = True
) -> list[Group]:
    """Cut prompts into groups, those with a long shared beginning first taken together.

    A shared beginning is worth computing together when it is at least as long as what its members add to it: in
    a group every new token looks over all members' own tokens (most of them masked).

    Args:
        prompts: token ids.
        most: members a group may have.
        room: tokens each prompt may still write.
        tokens: ceiling on the tokens a group of unrelated prompts holds in memory, but one prompt is always taken.
        share: False makes every prompt unrelated to the others.

    Returns:
        Groups covering every prompt once.
    """
    order = sorted(range(len(prompts)), key=lambda i: prompts[i].astype(">i4").tobytes())
    shared, alone = _shared(order, prompts, most, room) if share else ([], order)
    return shared + _together(alone, prompts, most, room, tokens)


def _shared(
    order: Sequence[int], prompts: Sequence[NDArray[np.int32]], most: int, room: Sequence[int]
) -> tuple[list[Group], list[int]]:
    done: list[Group] = []
    alone: list[int] = []
    run: list[int] = []
    prefix = 0
    for i in [*order, -1]:  # -1 closes the last run
        if i >= 0 and run:
            longer = min(prefix, common(prompts[run[0]], prompts[i]), len(prompts[i]) - 1)
            own = sum(len(prompts[j]) - longer + room[j] for j in [*run, i])
            if len(run) < most and longer >= SHORTEST and own <= max(longer, 1024):
                run.append(i)
                prefix = longer
                continue
        if len(run) > 1:
            done.append(Group(tuple(run), prefix))
        else:
            alone += run
        run, prefix = ([i], len(prompts[i]) - 1) if i >= 0 else ([], 0)
    return done, alone


def _together(
    alone: Sequence[int], prompts: Sequence[NDArray[np.int32]], most: int, room: Sequence[int], tokens: int
) -> list[Group]:
    done: list[Group] = []
    run: list[int] = []
    held = 0
    for i in alone:
        needs = len(prompts[i]) + room[i]
        if run and (len(run) == most or held + needs > tokens):
            done.append(Group(tuple(run), 0))
            run, held = [], 0
        run.append(i)
        held += needs
    return [*done, Group(tuple(run), 0)] if run else done


def families(prompts: Sequence[NDArray[np.int32]], tokens: int, least: int = 16) -> list[Group]:
    """Sequences by what they share at their beginning, each in one family; one that shares nothing is its own.

    A family grows as long as that saves tokens: a long beginning shared by two is not given up for a short one
    shared by three.

    Args:
        prompts: token ids.
        tokens: ceiling on the different tokens of a family of several.
        least: tokens that are worth sharing.

    Example:
        >>> one, two, other = (np.arange(40, dtype=np.int32) + start for start in (0, 0, 7))
        >>> two = np.append(two, two[:3])
        >>> families([other, one, two], tokens=100)
        [Group(members=(1, 2), prefix=39), Group(members=(0,), prefix=0)]
    """
    done: list[Group] = []
    for i in sorted(range(len(prompts)), key=lambda i: prompts[i].astype(">i4").tobytes()):
        last = done[-1] if done else Group((), 0)
        done[len(done) - 1 :] = _joined(last, i, prompts, tokens, least) if done else [Group((i,), 0)]
    return done


def _joined(family: Group, i: int, prompts: Sequence[NDArray[np.int32]], tokens: int, least: int) -> list[Group]:
    """The family with one more member, or both apart."""
    apart, members = [family, Group((i,), 0)], (*family.members, i)
    first, size = prompts[members[0]], len(family.members)
    shared = min(common(first, prompts[i]), *(len(prompts[j]) - 1 for j in members))
    prefix = min(shared, family.prefix) if size > 1 else shared
    held = prefix + sum(len(prompts[j]) - prefix for j in members)
    if prefix < least or size * prefix < (size - 1) * family.prefix or held > tokens:
        return apart
    return [Group(members, prefix)]


@dataclass(frozen=True, slots=True)
class _Entry(Generic[T]):
    tokens: NDArray[np.int32]
    value: T
    size: int


class PrefixStore(Generic[T]):
    """Keeps what was computed for prompt beginnings, least recently used out first, bounded in bytes.

    Args:
        limit: bytes.
        step: a beginning is found as far as it is a multiple of so many tokens.

    Example:
        >>> store = PrefixStore[str](limit=100)
        >>> store.put(np.arange(200, dtype=np.int32), "state", size=60)
        >>> store.longest(np.arange(150, dtype=np.int32))
        (150, 'state')
    """

    def __init__(self, limit: int, step: int = 1) -> None:
        self.limit, self.step = limit, step
        self.size = 0
        self._entries: OrderedDict[int, _Entry[T]] = OrderedDict()
        self._next = 0

    def __len__(self) -> int:
        return len(self._entries)

    def longest(self, tokens: NDArray[np.int32]) -> tuple[int, T | None]:
        """The most tokens of a prompt's beginning that an entry also begins with, and that entry's value."""
        shared, key = max(((common(e.tokens, tokens), key) for key, e in self._entries.items()), default=(0, -1))
        known = shared - shared % self.step
        if known < SHORTEST:
            return 0, None
        self._entries.move_to_end(key)
        return known, self._entries[key].value

    def takes(self, tokens: int, size: int) -> bool:
        """Whether a value of `size` bytes for so many tokens would be kept."""
        return size <= self.limit and tokens >= SHORTEST

    def put(self, tokens: NDArray[np.int32], value: T, size: int) -> None:
        """Keep a value of `size` bytes; entries it makes almost superfluous leave, then the oldest do."""
        if not self.takes(len(tokens), size):
            return
        for key, entry in list(self._entries.items()):
            if common(entry.tokens, tokens) >= 0.9 * len(entry.tokens):
                self._drop(key)
        while self._entries and self.size + size > self.limit:
            self._drop(next(iter(self._entries)))
        self._entries[self._next] = _Entry(tokens, value, size)
        self._next += 1
        self.size += size

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.size = 0

    def _drop(self, key: int) -> None:
        self.size -= self._entries.pop(key).size
