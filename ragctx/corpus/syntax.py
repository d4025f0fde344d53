"""Cuts code into chunks: whole blocks of its syntax tree, with exact offsets.

A block that fits is never cut, neighbours that fit together share a chunk, and one that does not fit is taken apart: a
class gives its methods, the first of them with the class's own line and docstring, a long function its statements. Text
that has no parts (a long string, a comment, a line of data) is divided where its lines end. After cAST (arXiv
2506.15655), which weighs blocks by characters and keeps no signature with its body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ragctx.corpus.blocks import Block, parts
from ragctx.corpus.chunking import Chunking
from ragctx.corpus.chunks import cut
from ragctx.corpus.grammars import Grammar
from ragctx.corpus.measure import Measure

# Longer files, in characters, were written by programs; a tree takes about fifty times their size.
LARGEST = 1 << 21
# Less than this share of a chunk is not set apart from a long block that begins or ends there.
SCRAP = 0.25
# A chunk that holds less than this share takes the beginning of a body that would fit a chunk of its own.
FILLED = 0.5


@dataclass(frozen=True, slots=True)
class Syntax:
    r"""How one file of code is cut.

    Attributes:
        grammar: of its language. name: of the file, for notes. notes: is told where the tree could not be used.

    Example:
        >>> from ragctx.corpus.grammars import grammar_of
        >>> python = Syntax(grammar_of("a.py"), "a.py")
        >>> text = "import os\n\n\ndef first():\n    return os.getcwd()\n\n\ndef second():\n    return 2\n"
        >>> [text[a:b].splitlines()[0] for a, b in python.cut(text, Chunking(words=6))]
        ['import os', 'def first():', 'def second():']
    """

    grammar: Grammar
    name: str
    notes: list[str] = field(default_factory=list)

    @property
    def identity(self) -> str:
        """Of the grammar, as chunks depend on it."""
        return self.grammar.identity

    def cut(self, text: str, chunking: Chunking) -> Iterator[tuple[int, int]]:
        """(start, end) of every chunk, as `chunks.cut` gives them; sized by `Measure.words`."""
        why = f"is longer than {LARGEST:,} characters" if len(text) > LARGEST else ""
        tree = None if why else self.grammar.tree(text)
        if tree is None:
            self.notes.append(f"{self.name} {why or f'is no {self.grammar.name} that can be parsed'}: split as text")
            return cut([text], chunking)
        return _packed(tree, Measure(text), chunking.words)


def _packed(tree: Any, measure: Measure, limit: int) -> Iterator[tuple[int, int]]:  # noqa: ANN401 - from an extra
    """Trimmed chunks, made of the largest blocks that fit.

    Trees may be deeper than Python's stack, as a sum of many terms is, so the blocks that wait are kept here.
    """
    place = _places(measure.text)
    start = end = 0
    waiting = [Block(0, len(measure.text), (tree.root_node,))]
    while waiting:
        block = waiting.pop()
        held = measure.words(start, end)
        border = block.start == block.end and held >= SCRAP * limit
        if not border and measure.words(start, block.end) <= limit:
            end = block.end
        elif border or _whole(block, measure, limit, held):
            if held:
                yield measure.trimmed(start, end)
            start, end = block.start, block.end
        else:
            waiting += reversed(_apart(block, measure, limit, place))
    if measure.words(start, end):
        yield measure.trimmed(start, end)


def _whole(block: Block, measure: Measure, limit: int, held: int) -> bool:
    """Whether a block begins a chunk as it is; the body of a signature that waits for company does not."""
    alone = not 0 < held < FILLED * limit or block.entry or not block.nodes
    return alone and measure.words(block.start, block.end) <= limit


def _apart(block: Block, measure: Measure, limit: int, place: Callable[[int], int]) -> list[Block]:
    """What a block is made of, between two empty ones that are borders where it is one of a list."""
    inner = parts(block, measure, place) or [Block(a, b, ()) for a, b in _lines(block, measure, limit)]
    if not block.entry:
        return inner
    return [Block(block.start, block.start, ()), *inner, Block(block.end, block.end, ())]


def _lines(block: Block, measure: Measure, limit: int) -> Iterator[tuple[int, int]]:
    """Text without parts, in pieces that fit: cut after a line, else after a space, else anywhere."""
    start, text = block.start, measure.text
    while start < block.end:
        end = measure.reach(start, limit, block.end)
        if end < block.end:
            ends = (text.rfind(mark, start, end) + 1 for mark in ("\n", " "))
            end = next((at for at in ends if at > start), end)
        yield start, end
        start = end


def _places(text: str) -> Callable[[int], int]:
    """From a byte of a text's UTF-8 to its character."""
    if text.isascii():
        return int
    data = np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)
    firsts = np.concatenate([[0], np.cumsum((data & 0xC0) != 0x80, dtype=np.int32)])
    return lambda byte: int(firsts[byte])
