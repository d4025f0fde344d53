"""Asks the ranker which passages and which of their sentences a question needs: one request for all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import cast

from ragctx.compressors.units import Unit, sentences, units
from ragctx.errors import ConfigError, RequestFailed
from ragctx.models import Models
from ragctx.types import Passage, Question
from ragctx.types.names import worded
from ragctx.work import Relevances, Rerank, Work, raised


@dataclass(frozen=True, slots=True)
class Weighed:
    """A passage and what the ranker says of it.

    Attributes:
        units: what of its text was weighed, in order. keeps: of each the probability that it is needed.
        relevance: probability that the passage answers.
    """

    passage: Passage
    units: tuple[Unit, ...]
    keeps: tuple[float, ...]
    relevance: float

    @property
    def best(self) -> int:
        """The number of the likeliest unit that is no heading; of a heading where there is nothing else."""
        return max(range(len(self.units)), key=lambda j: (not self.units[j].heading, self.keeps[j], -j))


def weigh(
    question: Question, passages: Sequence[Passage], room: int, models: Models
) -> Work[tuple[list[Weighed], str]]:
    """Every passage weighed, and a note where the ranker could not do it as meant.

    A ranker that weighs units ("Prune") reads each passage once. One that only ranks is given every sentence as a text
    of its own, which costs more and tears sentences from what is around them (DSLR, Hwang et al., arXiv:2407.03627).

    Args:
        question: what is asked.
        passages: in any order; blank ones are not sent.
        room: tokens that may be kept of all of them, about; see `sentences`.
        models: facts; the role "ranker" is asked.

    Raises:
        ConfigError: no model plays the role "ranker", or it cannot rank.
        RequestFailed: it sent something else than numbers.
    """
    able(models)
    divided = [sentences(passage.text, room, models.reader.counter) for passage in passages]
    asked = [i for i, found in enumerate(divided) if found]
    if not asked:
        return [Weighed(passage, (), (), 0.0) for passage in passages], ""
    whole = models.can("ranker", "Prune")
    weights = yield from (_together if whole else _apart)(
        question.text, [passages[i] for i in asked], [divided[i] for i in asked]
    )
    known = dict(zip(asked, weights, strict=True))
    weighed = [_weighed(passage, divided[i], *known.get(i, ((), 0.0))) for i, passage in enumerate(passages)]
    name = models.of("ranker").name
    return weighed, "" if whole else f"{name} ranks texts only: each sentence was weighed without its passage"


def able(models: Models) -> None:
    """Refuse where nobody can rank.

    Raises:
        ConfigError: with the remedy.
    """
    if not models.has("ranker"):
        raise ConfigError("pruning needs a ranker: name one, e.g. Pipeline.over(..., ranker='extractive')")
    if not models.can("ranker", "Rerank"):
        raise ConfigError(f"{models.of('ranker').name} cannot rank: name another ranker, e.g. ranker='extractive'")


Ranges = Sequence[tuple[int, int]]
Weights = list[tuple[tuple[float, ...], float]]


def _weighed(passage: Passage, asked: Ranges, keeps: tuple[float, ...], relevance: float) -> Weighed:
    found = units(passage.text, asked)
    return Weighed(passage, found, tuple(keeps[unit.of] for unit in found), relevance)


def titles(passages: Sequence[Passage]) -> tuple[str, ...]:
    """What the ranker is told of the passages' documents: the sources' names in plain words.

    Example:
        >>> titles([Passage("Rent is due.", (), "leases/kestrel-wharf_2024.md")])
        ('kestrel wharf 2024',)
    """
    return tuple(worded(passage.source) for passage in passages)


def _together(query: str, passages: Sequence[Passage], divided: Sequence[Ranges]) -> Work[Weights]:
    reply = yield from _ask(query, [passage.text for passage in passages], titles(passages), divided)
    return list(zip(reply.keeps, reply.values, strict=True))


def _apart(query: str, passages: Sequence[Passage], divided: Sequence[Ranges]) -> Work[Weights]:
    texts = [p.text[start:end] for p, found in zip(passages, divided, strict=True) for start, end in found]
    names = titles(passages)
    repeated = [name for name, found in zip(names, divided, strict=True) for _ in found]
    reply = yield from _ask(query, [*(p.text for p in passages), *texts], (*names, *repeated), ())
    borders = accumulate((len(found) for found in divided), initial=len(passages))
    keeps = [reply.values[first:last] for first, last in pairwise(borders)]
    return list(zip(keeps, reply.values[: len(passages)], strict=True))


def _ask(query: str, texts: Sequence[str], names: tuple[str, ...], divided: Sequence[Ranges]) -> Work[Relevances]:
    named = names if any(names) else ()
    [reply] = yield [Rerank(query, tuple(texts), purpose="prune", titles=named, units=tuple(map(tuple, divided)))]
    found = cast("Relevances", raised(reply))
    if not all(map(math.isfinite, (*found.values, *(keep for keeps in found.keeps for keep in keeps)))):
        raise RequestFailed("malformed", "the ranker sent relevances that are no numbers: use other weights")
    return found
