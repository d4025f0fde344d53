"""Token weights that the question decides in part: some stay for its sake, and some as they say much by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ragctx.compressors import allocation
from ragctx.compressors.likelihood import Asked, Ranked
from ragctx.compressors.scorer import Ids, Scorer, logprobs
from ragctx.compressors.sections import Section, segments_of
from ragctx.compressors.tokens import Token
from ragctx.work import Work

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Mixing:
    """How the two reasons to keep a token are mixed.

    Attributes:
        share: 0 to 1; of the tokens that stay, those chosen because the question makes them likelier.
        spread: by how much that share is larger in the first segment and smaller in the last.
        rare: the others are those that nothing before made likely; False: those that are likely.
        segment: ids of a segment, which has a share of its own.
    """

    share: float
    spread: float
    rare: bool
    segment: int

    def shares(self, count: int) -> list[float]:
        """The share in each of so many segments, the most relevant first."""
        return [min(1.0, max(0.0, self.share + shift)) for shift in allocation.offsets(count, self.spread)]

    def ordered(
        self, part: Section, guided: NDArray[np.float64], plain: NDArray[np.float64], share: float
    ) -> list[Token]:
        """A segment's tokens with weights that put them in the order in which they are wanted.

        Args:
            part: the segment.
            guided: log-probabilities of its ids after the question.
            plain: without it.
            share: of the tokens that stay, those chosen by the question.
        """
        by_question = _down(part.weighed((guided - plain).tolist()))
        by_itself = _down(part.weighed((-plain if self.rare else plain).tolist()))
        places = {token.start: place for place, token in enumerate(_merged(by_question, by_itself, share))}
        return [replace(token, weight=-float(places[token.start])) for token in part.tokens]


def at_once(
    chosen: Sequence[Ranked], mixing: Mixing, asked: Asked, scorer: Scorer
) -> Work[list[list[Token]]]:  # fmt: skip
    """The tokens of every segment weighed, each section by itself: one pass beside that of the ranking.

    Args:
        chosen: sections with their plain log-probabilities, the most relevant first.
        mixing: of the two reasons.
        asked: the question.
        scorer: who is asked.

    Returns:
        Weighed tokens, one list for each segment, in the order of the sections.
    """
    requests = [scorer.score(asked.ahead, one.section.ids, "contrast") for one in chosen]
    replies = yield requests
    parts: list[tuple[Section, NDArray[np.float64], NDArray[np.float64]]] = []
    for one, request, reply in zip(chosen, requests, replies, strict=True):
        guided, at = logprobs(request, reply), 0
        for part in segments_of(one.section, mixing.segment):
            end = at + len(part.ids)
            parts.append((part, guided[at:end], one.plain[at:end]))
            at = end
    return [mixing.ordered(*part, share) for part, share in zip(parts, mixing.shares(len(parts)), strict=True)]


def one_by_one(
    chosen: Sequence[Ranked], mixing: Mixing, common: float, spread: float, asked: Asked, scorer: Scorer
) -> Work[list[list[Token]]]:
    """The tokens weighed segment by segment, each after what was kept of the segments before it.

    Args:
        chosen: sections, the most relevant first, in which order they are gone through.
        mixing: of the two reasons.
        common: share of all tokens that is kept.
        spread: how much more of the first segment, and less of the last.
        asked: the question.
        scorer: who is asked.

    Returns:
        As for `at_once`.
    """
    most = min(mixing.segment, -(-scorer.room(asked.taken, 2 * mixing.segment) // 2))
    parts = [part for one in chosen for part in segments_of(one.section, most)]
    shifts, mixed = allocation.offsets(len(parts), spread), mixing.shares(len(parts))
    weighed: list[list[Token]] = []
    before: Ids = ()
    for part, shift, share in zip(parts, shifts, mixed, strict=True):
        before = scorer.remembered(before, len(asked.ahead) + len(part.ids))
        requests = [scorer.score((*start, *before), part.ids, "contrast") for start in (asked.ahead, asked.alone)]
        replies = yield requests
        guided, plain = map(logprobs, requests, replies)
        tokens = mixing.ordered(part, guided, plain, share)
        first = part.tokens[0].first
        kept = allocation.kept(tokens, min(1.0, max(0.0, common + shift)))
        before += tuple(i for token in kept for i in part.ids[token.first - first : token.last - first])
        weighed.append(tokens)
    return weighed


def _down(tokens: Sequence[Token]) -> list[Token]:
    """The most wanted first; of equals the earlier."""
    return sorted(tokens, key=lambda token: (-token.weight, token.start))


def _merged(first: Sequence[Token], second: Sequence[Token], share: float) -> list[Token]:
    """Both orders of the same tokens made one, so that of every beginning a share was taken from the first.

    Example:
        >>> a, b, c, d = (Token(0, n, n + 1) for n in range(4))
        >>> [token.start for token in _merged([a, b, c, d], [d, c, b, a], 0.5)]
        [0, 3, 1, 2]
    """
    taken: dict[int, Token] = {}
    rest, own, count = iter(first), iter(second), 0
    for number in range(len(first)):
        wanted = count < share * (number + 1)
        source = rest if wanted else own
        token = next(one for one in source if one.start not in taken)
        taken[token.start] = token
        count += wanted
    return list(taken.values())
