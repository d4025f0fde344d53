"""Which ranked sections are worth compressing, how much of them a budget holds, and what is told of the others."""

from __future__ import annotations

from collections.abc import Sequence

from ragctx.compressors.fitting import BETWEEN, Ranges, Why, narrowed
from ragctx.compressors.likelihood import Ranked
from ragctx.models import Counter
from ragctx.types import Context, Passage

_WORDS = "words that the question makes no likelier: over the token budget"


def enough(ranked: Sequence[Ranked], passages: Sequence[Passage], counter: Counter, tokens: int) -> list[Ranked]:
    """The best sections, until they hold so many tokens.

    Args:
        ranked: the best first.
        passages: those that they are sections of.
        counter: of the model that will read.
        tokens: how many are enough.
    """
    chosen, held = [], 0
    for one in ranked:
        if held >= tokens:
            break
        chosen.append(one)
        held += _size(one, passages, counter)
    return chosen


def common_share(chosen: Sequence[Ranked], passages: Sequence[Passage], counter: Counter, budget: int) -> float:
    """How much of the chosen sections a budget holds, 0 to 1."""
    return budget / max(1, budget, sum(_size(one, passages, counter) for one in chosen))


def _size(one: Ranked, passages: Sequence[Passage], counter: Counter) -> int:
    start, end = one.section.place
    return counter.count(passages[one.section.passage].text[start:end])


def fits(passages: Sequence[Passage], counter: Counter, budget: int) -> bool:
    """Whether nothing has to go but blank passages."""
    return counter.count(BETWEEN.join(passage.text for passage in passages if passage.text.strip())) <= budget


def all_or_nothing(context: Context, budget: int) -> Context:
    """Everything but blank passages, as it came; nothing where the budget is none."""
    kept: list[Ranges] = [
        [(0, len(passage.text))] if budget > 0 and passage.text.strip() else [] for passage in context.passages
    ]
    share = {"kept_share": float(budget > 0 or not context.passages)}
    return narrowed(context, context.passages, kept, lambda number, whole: "no token is left for it", signals=share)


def reasons(ranked: Sequence[Ranked], places: Sequence[int]) -> Why:
    """What is told of passages, by their place in reading order, that are left out or thinned out.

    Args:
        ranked: all sections, the best first.
        places: numbers of the passages in reading order.
    """
    ranks = {one.section.passage: len(ranked) - after for after, one in enumerate(reversed(ranked))}

    def why(number: int, whole: bool) -> str:
        rank = ranks.get(places[number], len(ranked))
        return f"rank {rank} of {len(ranked)} by the question: over the token budget" if whole else _WORDS

    return why


def shares(passages: Sequence[Passage], kept: Sequence[Ranges]) -> dict[str, float]:
    """The signal of how much of the text is kept, in characters."""
    total = sum(len(passage.text) for passage in passages)
    return {"kept_share": sum(end - start for ranges in kept for start, end in ranges) / total if total else 1.0}
