"""Hierarchical merging, after Chang et al. (ICLR 2024, arXiv 2310.00785): summaries of parts, then of summaries.

Every part is summed up by itself, all in one go; upper levels sum up as many summaries as a prompt holds, until one is
left. Limits are highest at the top, and each level below has 0.65 times that of the level above. How parts are grouped
is settled by the limits before the first call and not, as published, by how long the summaries came out: the number of
calls is known beforehand, and no group depends on what another one says. The published form also shows each merge the
summary beside it, which would put the calls of a level in a row; it is left out here.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ragctx.agents.summaries import LOST, Summary, Wish, Writer
from ragctx.errors import BudgetSpent
from ragctx.strategies.portions import Portion
from ragctx.types import Passage
from ragctx.work import Work

T = TypeVar("T")
SHRINK = 0.65
LEAST = 40
# Tokens of the line above a summary in a merge's prompt, and of what joins it to the next.
HEADING = 16
# How much of their limit summaries fill; only plans rest on it.
FILLED = 0.45


@dataclass(frozen=True, slots=True)
class Tree:
    """How many summaries are written at every level, and how long each may be.

    Attributes:
        counts: parts first, 1 last. limits: tokens, one for each level.

    Example:
        >>> grown(9, 400, lambda child, own: 3)
        Tree(counts=(9, 3, 1), limits=(169, 260, 400))
    """

    counts: tuple[int, ...]
    limits: tuple[int, ...]

    @property
    def calls(self) -> int:
        """Summaries to be written, a group of one not among them."""
        return self.counts[0] + sum(
            sum(len(group) > 1 for group in grouped(range(below), count))
            for below, count in zip(self.counts, self.counts[1:], strict=False)
        )

    def merges(self, frame: int, share: float = 1.0) -> int:
        """Tokens of all prompts above the first level, where summaries fill so much of their limits."""
        return sum(
            sum(frame + len(group) * (HEADING + int(share * limit)) for group in grouped(range(below), count)
                if len(group) > 1)
            for below, count, limit in zip(self.counts, self.counts[1:], self.limits, strict=False)
        )  # fmt: skip

    def written(self) -> int:
        """Tokens that may be written at most."""
        merged = [
            sum(limit for group in grouped(range(below), count) if len(group) > 1)
            for below, count, limit in zip(self.counts, self.counts[1:], self.limits[1:], strict=False)
        ]
        return self.counts[0] * self.limits[0] + sum(merged)


def grown(parts: int, top: int, fan: Callable[[int, int], int]) -> Tree:
    """The tree over so many parts.

    Args:
        parts: at least one.
        top: limit of the last summary, in tokens.
        fan: how many summaries of one limit a prompt for one of another holds; taken for two where it is less.
    """
    for depth in range(64):
        limits = [max(min(LEAST, top), int(top * SHRINK ** (depth - level))) for level in range(depth + 1)]
        counts = [parts]
        for child, own in itertools.pairwise(limits):
            counts.append(math.ceil(counts[-1] / max(2, fan(child, own))))
        if counts[-1] == 1:
            return Tree(tuple(counts), tuple(limits))
    raise AssertionError("sixty-four levels of two hold more parts than there are")


def grouped(items: Sequence[T], count: int) -> list[Sequence[T]]:
    """So many groups of neighbours, of sizes that differ by one at most.

    Example:
        >>> [list(group) for group in grouped(range(5), 2)]
        [[0, 1], [2, 3, 4]]
    """
    ends = [round(i * len(items) / count) for i in range(count + 1)]
    return [items[start:end] for start, end in itertools.pairwise(ends)]


def hierarchical(writer: Writer, cut: Sequence[Portion], tree: Tree, focused: str) -> Work[list[Summary]]:
    """The one summary; several where the budget ended before the last merge, none where nothing bears on the question.

    Args:
        writer: asks.
        cut: the parts.
        tree: how they are merged.
        focused: "focused" or "plain".

    Raises:
        BudgetSpent: the first level was not allowed.
    """
    frame = writer.frame(Wish(f"merge_{focused}", "", (), tree.limits[-1], ()))
    aside = tree.merges(frame) + tree.written() - tree.counts[0] * tree.limits[0]
    wishes = _parts(cut, tree, focused)
    written = yield from writer.write(wishes, aside)
    for wish, summary in zip(wishes, written, strict=True):
        writer.book(wish, summary)
    if any(summary is None for summary in written):
        writer.notes[f"{sum(s is None for s in written)} of {len(cut)} parts: {LOST}"] = None
    level = [summary for summary in written if summary is not None and summary.text]
    for count, limit in zip(tree.counts[1:], tree.limits[1:], strict=True):
        if len(level) < 2:
            break
        try:
            level = yield from _merged(writer, level, count, limit, f"merge_{focused}")
        except BudgetSpent as spent:
            writer.notes[f"parts were not merged to the end: {spent}"] = None
            break
    return level


def _parts(cut: Sequence[Portion], tree: Tree, focused: str) -> list[Wish]:
    """The wishes of the first level; of a single part it is the answer."""
    wishes, number = [], 1
    single = len(cut) == 1
    for portion in cut:
        spans = tuple(span for passage in portion for span in passage.spans)
        source = "\n\n".join(passage.text.strip() for passage in portion)
        purpose, role = ("final summary", "reader") if single else ("summary of a part", "worker")
        wishes.append(
            Wish(f"part_{focused}", purpose, portion, tree.limits[0], spans, number, role, (), source, single)
        )
        number += len(portion)
    return wishes


def _merged(writer: Writer, level: Sequence[Summary], count: int, limit: int, text: str) -> Work[list[Summary]]:
    """The next level; a group of one moves up as it is, and one of which nothing came is left as its parts."""
    groups = grouped(level, min(count, len(level)))
    wishes = [_merge(group, limit, text, final=len(groups) == 1) for group in groups if len(group) > 1]
    written = iter((yield from writer.write(wishes)))
    merged: list[Summary] = []
    for group in groups:
        one = next(written) if len(group) > 1 else group[0]
        if one is not None and one.text:
            merged.append(one)
        else:
            writer.notes["a merge gave nothing: the longest of its parts stands for it"] = None
            merged.append(max(group, key=lambda summary: len(summary.text)))
    return merged


def _merge(group: Sequence[Summary], limit: int, text: str, *, final: bool) -> Wish:
    passages: tuple[Passage, ...] = tuple(summary.passage(number) for number, summary in enumerate(group, 1))
    spans = tuple(span for summary in group for span in summary.spans)
    source = "\n\n".join(summary.text for summary in group)
    return Wish(text, "final summary" if final else "merge", passages, limit, spans, source=source, final=final)
