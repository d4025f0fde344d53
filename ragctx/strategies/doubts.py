"""What speaks against an answer that was copied, in words for its notes."""

from __future__ import annotations

from collections.abc import Sequence

from ragctx.strategies.answer_types import AnswerType
from ragctx.strategies.pointing import Place, Said, overlap, within

_TOLD = 3


def rivals(said: Sequence[Said], close: float) -> tuple[str, ...]:
    """Other answers that are nearly as likely; other wordings of the first, and parts of it, are none.

    Args:
        said: at least one answer, the likeliest first.
        close: how likely another must be, as a share of the first one's probability.
    """
    apart = [said[0]]
    for one in said[1:]:
        near = one.probability >= close * said[0].probability
        if near and not any(within(one.text, other.text) or overlap(one, other) for other in apart):
            apart.append(one)
    told = ", ".join(f"{one.text!r} ({one.probability:.2f})" for one in apart[1 : _TOLD + 1])
    return (f"other answers are nearly as likely: {told}",) if told else ()


def likeliest(said: Sequence[Said]) -> str:
    """The likeliest answer in brackets; nothing where there is none."""
    return f" (likeliest: {said[0].text!r}, {said[0].probability:.2f})" if said else ""


def aside(kind: AnswerType | None, others: Sequence[Place]) -> tuple[str, ...]:
    """What was sure enough and is not what was asked for."""
    if kind is None or not others:
        return ()
    first = max(others, key=lambda place: place.probability)
    told = " ".join(first.text.split())
    return (f"asked for {kind.name}: {told!r} ({first.probability:.2f}) cannot be one and was left aside",)
