"""How much of each section is kept: more of those that rank high, and of each its most wanted tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ragctx.compressors.tokens import Token


def offsets(count: int, spread: float) -> list[float]:
    """What is added to the common share, by rank: from `spread` for the best evenly down to minus that for the last.

    Example:
        >>> offsets(3, 0.3), offsets(1, 0.3)
        ([0.3, 0.0, -0.3], [0.0])
    """
    return [spread * (1 - 2 * rank / (count - 1)) for rank in range(count)] if count > 1 else [0.0] * count


def standings(tokens: Sequence[Token]) -> Iterator[tuple[float, Token]]:
    """The tokens of one section, most wanted first, each with the share of the section that is wanted more.

    Example:
        >>> rare, common = Token(0, 0, 4, 0, 1, weight=2.0), Token(0, 4, 7, 1, 2, weight=0.5)
        >>> [(share, token.weight) for share, token in standings([common, rare])]
        [(0.0, 2.0), (0.5, 0.5)]
    """
    total = sum(map(_size, tokens))
    before = 0
    for token in sorted(tokens, key=lambda token: (not token.forced, -token.weight)):
        yield before / total, token
        before += _size(token)


def kept(tokens: Sequence[Token], share: float) -> list[Token]:
    """The most wanted tokens, up to a share of them all, and those that are forced; in the order of the text."""
    chosen = [token for standing, token in standings(tokens) if standing < share or token.forced]
    return sorted(chosen, key=lambda token: token.start)


def preferred(groups: Sequence[Sequence[Token]], shifts: Sequence[float]) -> list[Token]:
    """All tokens in one order, so that its beginning, however long, holds of every group its own share.

    A token comes at the common share at which its group, whose own share is that plus its shift, reaches it. So to
    search how much of this order fits a budget is to search the common share, and every share stays between 0 and 1.

    Args:
        groups: weighed tokens of sections, the more relevant groups first.
        shifts: of each what is added to the common share.

    Example:
        >>> first, second = ([Token(n, 0, 4, 0, 1), Token(n, 4, 8, 1, 2)] for n in (0, 1))
        >>> [(token.passage, token.start) for token in preferred([first, second], [0.3, -0.3])]
        [(0, 0), (0, 4), (1, 0), (1, 4)]
    """
    placed = [
        (standing - shift, rank, number, token)
        for rank, (tokens, shift) in enumerate(zip(groups, shifts, strict=True))
        for number, (standing, token) in enumerate(standings(tokens))
    ]
    return [token for *_, token in sorted(placed, key=lambda one: one[:3])]


def _size(token: Token) -> int:
    return max(1, token.last - token.first)
