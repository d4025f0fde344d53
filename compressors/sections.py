"""Sections: passages as they are ranked, those that are long in parts of about equal length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ragctx.compressors.tokens import Token, Tokenized

Ids = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A passage, or a part of a long one, in the scorer's tokens.

    Attributes:
        tokens: in order, at least one. ids: the scorer's, of exactly these tokens.
    """

    tokens: tuple[Token, ...]
    ids: Ids

    @property
    def passage(self) -> int:
        """The number of its passage."""
        return self.tokens[0].passage

    @property
    def place(self) -> tuple[int, int]:
        """The characters [start, end) of the passage's text that it holds."""
        return self.tokens[0].start, self.tokens[-1].end

    def weighed(self, values: Sequence[float]) -> list[Token]:
        """Its tokens with weights, from one value for each of its ids."""
        return Tokenized(self.ids, self.tokens).weighed(values, self.tokens[0].first)


def sections_of(passages: Sequence[Tokenized], most: int) -> list[Section]:
    """The sections of passages, in order: none of a blank passage.

    Args:
        passages: in the scorer's tokens.
        most: ids of a section, as nearly as whole tokens allow.

    Example:
        >>> words = tuple(Token(0, n, n + 1, n, n + 1) for n in range(5))
        >>> [section.ids for section in sections_of([Tokenized((5, 6, 7, 8, 9), words)], 3)]
        [(5, 6, 7), (8, 9)]
    """
    return [section for passage in passages if passage.tokens for section in _cut(passage.tokens, passage.ids, most)]


def segments_of(section: Section, most: int) -> list[Section]:
    """A section in parts of about equal length, as they are compressed one after the other."""
    first = section.tokens[0].first
    return list(_cut(section.tokens, section.ids, most, first))


def _cut(tokens: Sequence[Token], ids: Ids, most: int, first: int = 0) -> Iterator[Section]:
    begin, end = tokens[0].first, tokens[-1].last
    parts = max(1, -(-(end - begin) // most))
    size, part = -(-(end - begin) // parts), list[Token]()
    for token in tokens:
        if part and token.last - part[0].first > size:
            yield _section(part, ids, first)
            part = []
        part.append(token)
    yield _section(part, ids, first)


def _section(tokens: Sequence[Token], ids: Ids, first: int) -> Section:
    return Section(tuple(tokens), ids[tokens[0].first - first : tokens[-1].last - first])


def renumbered(tokens: Sequence[Token], places: Sequence[int]) -> list[Token]:
    """Tokens of passages that were put in another order.

    Args:
        tokens: numbered as the passages were.
        places: the passages' old numbers, in the new order.
    """
    now = {old: new for new, old in enumerate(places)}
    return [replace(token, passage=now[token.passage]) for token in tokens]
