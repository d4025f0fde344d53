"""Narrows passages to the sentences that a question needs, by a registered compressor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

from ragctx.contracts import Compressor
from ragctx.errors import RagctxError
from ragctx.models import Models
from ragctx.registry import make, options
from ragctx.strategies.reranking import ROLE, Ranges, Ranked
from ragctx.types import Context, Question
from ragctx.work import Relevances, Reply, Request, Rerank, Work

T = TypeVar("T")
PROVENCE = "provence"
# How likely a sentence must be needed. Low, since what was pruned is lost and what was not only costs tokens. The
# passages were put in order before, so the compressor keeps theirs.
_OPTIONS: Mapping[str, object] = {"threshold": 0.1, "order": "given", "fuse": False}

WHOLE = "no sentence of the passages found looks needed: they were read whole"


def pruner(chosen: str | Compressor | None, models: Models, room: int) -> Compressor | None:
    """What narrows passages; None where nothing was chosen, or where no model can do what the chosen one needs.

    Args:
        chosen: a compressor, or the name of one.
        models: facts about the models.
        room: tokens that there are for passages; one of a name cuts tables by it, whatever budget it gets in the end,
            so that its questions are known before.

    Raises:
        UnknownName: nobody registered the name.
    """
    if named(chosen) == PROVENCE and not models.can(ROLE, "Prune"):
        return None
    if not isinstance(chosen, str):
        return chosen
    known = options("compressors", chosen)
    given = {name: value for name, value in {**_OPTIONS, "room": room}.items() if name in known}
    return cast("Compressor", make("compressors", chosen, **given))


def named(chosen: str | Compressor | None) -> str:
    """The name of what was chosen; empty where nothing was."""
    return chosen if isinstance(chosen, str) else chosen.name if chosen is not None else ""


def lacking(models: Models, *, rerank: bool, prune: bool) -> tuple[str, ...]:
    """What is left undone for want of a model, in words.

    Args:
        models: facts about the models.
        rerank: whether passages were to be sorted.
        prune: whether they were to be narrowed by a ranker.

    Example:
        >>> lacking(Models(), rerank=True, prune=True)
        ("passages are neither reranked nor pruned: no model plays the role 'ranker'",)
    """
    sorts, prunes = rerank and not models.can(ROLE, "Rerank"), prune and not models.can(ROLE, "Prune")
    if not sorts and not prunes:
        return ()
    undone = "neither reranked nor pruned" if sorts and prunes else "not reranked" if sorts else "not pruned"
    why = f"{models.of(ROLE).name} cannot" if models.has(ROLE) else f"no model plays the role {ROLE!r}"
    return (f"passages are {undone}: {why}",)


def units_of(compressor: Compressor, question: Question, context: Context, models: Models) -> tuple[Ranges, ...]:
    """What of every passage the compressor will ask a ranker about; none at all where it will not.

    A look at its first request, so that whoever sorts the passages can ask for both at once: nothing is sent.
    """
    work = compressor.compress(question, context, 1, models)
    first: Sequence[Request] = next(work, ())
    work.close()
    wanted = [one for one in first if isinstance(one, Rerank) and one.role == ROLE and one.units]
    known = {text: units for one in wanted for text, units in zip(one.texts, one.units, strict=True)}
    return tuple(known.get(passage.text, ()) for passage in context.passages) if known else ()


def pruned(question: Question, ranked: Ranked, compressor: Compressor, budget: int, models: Models) -> Work[Context]:
    """The passages' needed sentences; the passages as they were where nothing would be left.

    Args:
        question: what is asked, without history.
        ranked: the passages, and what the ranker said of them: it is not asked twice.
        compressor: what narrows them.
        budget: tokens that it may leave, by the reader's counter.
        models: facts about the models.
    """
    context = ranked.context
    work = compressor.compress(question, context, budget, models)
    if ranked.request is not None and ranked.reply is not None:
        work = recalled(work, ranked.request, ranked.reply)
    narrow = yield from work
    passages = tuple(passage for passage in narrow.passages if passage.text.strip())
    signals = {**context.signals, **narrow.signals}
    if not passages:
        note = (WHOLE,) if signals.get("all_pruned") else ()
        return replace(context, notes=(*context.notes, *note), signals=signals)
    dropped = dict.fromkeys((*context.dropped, *narrow.dropped))
    notes = dict.fromkeys((*context.notes, *narrow.notes, *_told(signals)))
    return Context(passages, tuple(dropped), tuple(notes), signals)


def _told(signals: Mapping[str, float]) -> tuple[str, ...]:
    """How many sentences went, in words."""
    total, went = signals.get("sentences", 0), signals.get("sentences_pruned", 0)
    return (f"{went:.0f} of {total:.0f} sentences were pruned as not needed",) if went else ()


def recalled(work: Work[T], request: Rerank, reply: Relevances) -> Work[T]:
    """The work itself, but what it asks of the ranker is answered from a reply at hand where that holds the answer.

    Sorting and pruning are two outputs of one pass over a passage; whoever sorts has the other's numbers already.

    Args:
        work: not started yet.
        request: what was asked before.
        reply: what came back.
    """
    step: Callable[[Any], Sequence[Request]] = work.send
    given: object = None
    try:
        while True:
            requests = step(given)
            step, given = work.send, _remembered(requests, request, reply)
            if given is None:
                try:
                    given = yield requests
                except RagctxError as error:
                    step, given = work.throw, error
    except StopIteration as done:
        return cast("T", done.value)
    finally:
        work.close()


def _remembered(requests: Sequence[Request], request: Rerank, reply: Relevances) -> list[Reply] | None:
    """Replies to all of the requests from the one at hand; None where it does not hold them.

    Titles are not compared: a compressor is given passages, and may know no more of a document than its name.
    """
    units = request.units or ((),) * len(request.texts)
    places = {(text, cut): place for place, (text, cut) in enumerate(zip(request.texts, units, strict=True))}
    replies: list[Reply] = []
    for one in requests:
        if not isinstance(one, Rerank) or one.answers or (one.query, one.role) != (request.query, request.role):
            return None
        wanted = [places.get(pair) for pair in zip(one.texts, one.units or ((),) * len(one.texts), strict=True)]
        found = [place for place in wanted if place is not None]
        if len(found) < len(wanted):
            return None
        keeps = tuple(reply.keeps[place] for place in found) if one.units else ()
        replies.append(Relevances(tuple(reply.values[place] for place in found), keeps=keeps))
    return replies
