"""Token weights: how much likelier the question makes a token than the text before it does alone."""

from __future__ import annotations

from collections.abc import Sequence

from ragctx.compressors import allocation
from ragctx.compressors.likelihood import Asked, Ranked
from ragctx.compressors.scorer import Ids, Scorer, logprobs
from ragctx.compressors.sections import segments_of
from ragctx.compressors.tokens import Token
from ragctx.work import Work


def at_once(chosen: Sequence[Ranked], asked: Asked, scorer: Scorer) -> Work[list[list[Token]]]:
    """The tokens of every section weighed, each section by itself: one pass beside that of the ranking.

    Args:
        chosen: sections with their plain log-probabilities, in any order.
        asked: the question.
        scorer: who is asked.

    Returns:
        Weighed tokens, one list for each section.
    """
    requests = [scorer.score(asked.ahead, one.section.ids, "contrast") for one in chosen]
    replies = yield requests
    return [
        one.section.weighed((logprobs(request, reply) - one.plain).tolist())
        for one, request, reply in zip(chosen, requests, replies, strict=True)
    ]


def one_by_one(
    chosen: Sequence[Ranked], shares: Sequence[float], segment: int, asked: Asked, scorer: Scorer
) -> Work[list[list[list[Token]]]]:
    """The tokens of every section weighed segment by segment, each after what was kept of everything before it.

    Args:
        chosen: sections in the order in which they will be read.
        shares: of each section, how much of it is kept, 0 to 1.
        segment: ids of a segment; a short window makes them shorter, so that half of it is left for what was kept.
        asked: the question.
        scorer: who is asked.

    Returns:
        For each section the weighed tokens of its segments.
    """
    weighed: list[list[list[Token]]] = []
    before: Ids = ()
    most = min(segment, -(-scorer.room(asked.taken, 2 * segment) // 2))
    for one, share in zip(chosen, shares, strict=True):
        weighed.append([])
        for part in segments_of(one.section, most):
            before = scorer.remembered(before, len(asked.ahead) + len(part.ids))
            requests = [scorer.score((*start, *before), part.ids, "contrast") for start in (asked.ahead, asked.alone)]
            replies = yield requests
            given, plain = map(logprobs, requests, replies)
            tokens = part.weighed((given - plain).tolist())
            first = part.tokens[0].first
            kept = allocation.kept(tokens, share)
            before += tuple(i for token in kept for i in part.ids[token.first - first : token.last - first])
            weighed[-1].append(tokens)
    return weighed
