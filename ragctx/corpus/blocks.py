"""A syntax tree as nested blocks: what stands together in code, and where it may be taken apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ragctx.corpus.measure import Measure

# What says something about the code below it, and goes with it.
_FOREWORDS = {"attribute_item", "inner_attribute_item", "decorator", "annotation", "marker_annotation"}
_CLOSING = frozenset(")]};,")
_BLANK_LINE = 2  # line breaks
# The one field that grammars give to members of a list; those of every other are parts of one construct.
_MEMBER = "member"


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of code.

    Attributes:
        start, end: characters; neighbours touch, so that nothing falls between them.
        nodes: of the tree, in order, that it is made of; text between and behind them belongs to it.
        entry: it begins a line and is one of a list (a function of a file, a method of a class, a statement), not the
            body of what stands before it.
    """

    start: int
    end: int
    nodes: tuple[Any, ...]
    entry: bool = False


@dataclass(frozen=True, slots=True)
class _Child:
    """A node, and where it stands.

    Attributes:
        start: first character. gap: line breaks before it. sign: its first character.
        field: which part of its parent it is, where that has a name. last: it is its parent's last child.
    """

    node: Any
    start: int
    gap: int
    field: str
    sign: str
    last: bool

    @property
    def mark(self) -> bool:
        """A keyword or a mark, not a construct."""
        return not self.node.is_named

    @property
    def closes(self) -> bool:
        """What it ends stands before it."""
        return self.mark and (self.last or self.sign in _CLOSING)

    @property
    def remark(self) -> bool:
        """A comment."""
        return "comment" in self.node.type

    @property
    def foreword(self) -> bool:
        """It says something about the code below it."""
        return self.node.type in _FOREWORDS or (self.remark and self.gap > 0)

    def stays(self, before: _Child) -> bool:
        """Whether it is not parted from its neighbour."""
        if self.closes or (self.remark and not self.gap):
            return True
        return (before.mark and not before.closes) or (before.foreword and self.gap < _BLANK_LINE)


def parts(block: Block, measure: Measure, place: Callable[[int], int]) -> list[Block]:
    """The blocks that a block is made of; none where it is one piece of text.

    Comments above a function go with it, as decorators do, unless a blank line parts them; a comment beside code and
    closing marks stay with what stands before them; other marks and keywords go with what follows.

    Args:
        block: what to take apart.
        measure: of the text.
        place: from a byte of the tree to a character of the text.
    """
    if len(block.nodes) > 1:
        starts = [block.start, *(place(node.start_byte) for node in block.nodes[1:]), block.end]
        return [Block(a, b, (node,)) for (a, b), node in zip(pairwise(starts), block.nodes, strict=True)]
    groups = _groups(_children(block.nodes[0], measure, place)) if block.nodes else []
    starts = [block.start, *(group[0].start for group in groups[1:]), block.end]
    return [
        Block(a, b, tuple(child.node for child in group), _entry(group))
        for (a, b), group in zip(pairwise(starts), groups, strict=False)
    ]


def _children(node: Any, measure: Measure, place: Callable[[int], int]) -> Iterator[_Child]:  # noqa: ANN401
    cursor = node.walk()
    more = cursor.goto_first_child()
    while more:
        child, field = cursor.node, cursor.field_name or ""
        more = cursor.goto_next_sibling()
        if child.end_byte > child.start_byte:  # what a parser makes up for what is missing has no length
            at = place(child.start_byte)
            yield _Child(child, at, measure.gap(at), field, measure.text[at], last=not more)


def _groups(children: Iterable[_Child]) -> list[list[_Child]]:
    """Children that are not parted, in order."""
    groups: list[list[_Child]] = []
    for child in children:
        if groups and child.stays(groups[-1][-1]):
            groups[-1].append(child)
        else:
            groups.append([child])
    return groups


def _entry(group: list[_Child]) -> bool:
    held = next((child for child in group if not child.mark and not child.foreword), group[0])
    return held.field in ("", _MEMBER) and group[0].gap > 0
