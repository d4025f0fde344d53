"""In which order passages are read: models use the middle of a long prompt least (arXiv 2307.03172)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from ragctx.errors import ConfigError
from ragctx.types import Passage

Order = Literal["edges", "document", "score", "rising"]


def edges(ranked: Sequence[Passage]) -> list[Passage]:
    """The best at both ends, the weakest in the middle.

    Example:
        >>> [p.text for p in edges([Passage(text, ()) for text in "12345"])]
        ['1', '3', '5', '4', '2']
    """
    return [*ranked[0::2], *ranked[1::2][::-1]]


def by_document(ranked: Sequence[Passage]) -> list[Passage]:
    """As they stand in the documents, so that a story stays in order."""
    return sorted(ranked, key=lambda passage: passage.spans[:1])


def by_score(ranked: Sequence[Passage]) -> list[Passage]:
    """The best first."""
    return list(ranked)


def rising(ranked: Sequence[Passage]) -> list[Passage]:
    """The best last, next to the question: small models remember what they read last."""
    return list(reversed(ranked))


ORDERS: Mapping[str, Callable[[Sequence[Passage]], list[Passage]]] = {
    "edges": edges,
    "document": by_document,
    "score": by_score,
    "rising": rising,
}


def ordered(ranked: Sequence[Passage], order: str) -> list[Passage]:
    """Passages, best first, in reading order.

    Raises:
        ConfigError: no such order.
    """
    if order not in ORDERS:
        raise ConfigError(f"no order is called {order!r}: there are {', '.join(ORDERS)}")
    return ORDERS[order](ranked)
