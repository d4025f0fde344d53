"""The calls that read portions for items: one each, one more where a reply cannot be read, then it is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from ragctx.agents.items import Raw, Said, said
from ragctx.agents.operations import Operation
from ragctx.agents.places import Item, Places
from ragctx.corpus import Corpus
from ragctx.errors import BudgetSpent
from ragctx.prompts.tasks import Task
from ragctx.strategies.purse import Purse
from ragctx.types import Passage, Span
from ragctx.work import Completion, Failure, Generate, Reply, Work

if TYPE_CHECKING:
    from pydantic import BaseModel

Portion = tuple[Passage, ...]
_NAMED = 8  # portions that a note names one by one


_VALUED = frozenset({"sum", "average", "maximum", "minimum"})


def form(operation: Operation, own: type[BaseModel] | None = None) -> str:
    """The line that shows the form of an item: for an operation, or for a caller's own fields.

    Example:
        >>> form("sum")
        '{"name": "...", "value": 12, "quote": "..."}'
    """
    if own is not None:
        return json.dumps({**dict.fromkeys(own.model_fields, "..."), "quote": "..."})
    more = {"value": 12} if operation in _VALUED else {"group": "..."} if operation == "group" else {}
    return json.dumps({"name": "...", **more, "quote": "..."})


@dataclass(frozen=True, slots=True)
class Extraction:
    """What came of all portions.

    Attributes:
        items: that stand in the documents, in document order.
        quotes: how many a model gave. invented: how many of them stand nowhere.
        failed: numbers of the portions, from 1, of which nothing could be used. why: the last one's reason.
        read, unread: spans of the portions that could be used, and of those that could not.
        cut: portions whose reply ended at its ceiling, so that items may be missing.
    """

    items: tuple[Item, ...]
    quotes: int
    invented: int
    failed: tuple[int, ...]
    why: str
    read: tuple[Span, ...]
    unread: tuple[Span, ...]
    portions: int
    cut: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of it."""
        told = []
        if self.failed:
            which = ", ".join(map(str, self.failed[:_NAMED])) + (" ..." if len(self.failed) > _NAMED else "")
            told.append(
                f"{len(self.failed)} of {self.portions} portions gave nothing of use (numbers {which}; {self.why}): "
                "items in them are missing"
            )
        if self.cut:
            told.append(f"{self.cut} replies were cut at their ceiling, items may be missing: raise max_output")
        if self.invented:
            share = round(100 * self.invented / self.quotes)
            told.append(f"{self.invented} of {self.quotes} quotes ({share} %) stand nowhere in the documents")
        return tuple(told)


def extraction(
    requests: Sequence[Generate],
    parts: Sequence[Portion],
    view: Corpus,
    purse: Purse,
    task: Task,
    own: type[BaseModel] | None,
) -> Work[Extraction]:
    """Ask for all portions at once, then once more for those whose reply cannot be read, and look the items up.

    Args:
        requests: one for each portion, tolerant.
        parts: the portions.
        view: where quotes are looked up.
        purse: what may be spent; a second try is made only where there is enough left.
        task: writes the second try.
        own: the caller's schema of an item.
    """
    replies = yield requests
    for reply in replies:
        purse.paid(cast("Completion", reply))
    read = [_read(reply, own) for reply in replies]
    again = [i for i, one in enumerate(read) if one.problem and isinstance(replies[i], Completion)]
    second = [_repair(requests[i], cast("Completion", replies[i]), read[i].problem, task) for i in again]
    second, again = _affordable(second, again, purse)
    if second:
        try:
            for i, reply in zip(again, (yield second), strict=True):
                purse.paid(cast("Completion", reply))
                read[i] = _read(reply, own)
        except BudgetSpent:
            pass  # what the first replies gave is there, and the others are told as failed
    cut = sum(isinstance(reply, Completion) and reply.finish == "length" for reply in replies)
    return _looked_up(read, parts, view, cut)


def _read(reply: Reply, own: type[BaseModel] | None) -> Said:
    if isinstance(reply, Failure):
        return Said(problem=reply.message)
    return said(cast("Completion", reply).text, own)


def _repair(request: Generate, reply: Completion, problem: str, task: Task) -> Generate:
    messages = task.repair(request.messages, reply.text, problem)
    return replace(request, messages=messages, purpose="repair items")


def _affordable(requests: Sequence[Generate], numbers: Sequence[int], purse: Purse) -> tuple[list[Generate], list[int]]:
    """As many of the second tries as window and budget hold together."""
    taken: list[Generate] = []
    prompts = outputs = 0
    for request in requests:
        prompt, output = purse.facts.counter.render(request.messages), request.sampling.max_tokens
        fits = purse.facts.window is None or prompt + output <= purse.facts.window
        left, calls = purse.left(), purse.calls_left()
        enough = (left is None or prompts + prompt + outputs + output <= left) and (calls is None or len(taken) < calls)
        if not fits or not enough:
            break
        taken.append(request)
        prompts, outputs = prompts + prompt, outputs + output
    return taken, list(numbers[: len(taken)])


def _looked_up(read: Sequence[Said], parts: Sequence[Portion], view: Corpus, cut: int) -> Extraction:
    items: list[Item] = []
    quotes, first = 0, 1
    for one, part in zip(read, parts, strict=True):
        places = Places(part, first, view)
        found = [place for raw in _distinct(one.items) if (place := places.item(raw)) is not None]
        quotes += len(_distinct(one.items))
        order = {span.document: number for number, passage in enumerate(part) for span in passage.spans}
        items += sorted(found, key=lambda item: (order[item.span.document], item.span))
        first += len(part)
    failed = [i for i, one in enumerate(read) if one.problem]
    spans = [tuple(span for passage in part for span in passage.spans) for part in parts]
    return Extraction(
        items=tuple(items),
        quotes=quotes,
        invented=quotes - len(items),
        failed=tuple(i + 1 for i in failed),
        why=read[failed[-1]].problem if failed else "",
        read=tuple(s for i, part in enumerate(spans) for s in part if i not in set(failed)),
        unread=tuple(s for i, part in enumerate(spans) for s in part if i in set(failed)),
        portions=len(parts),
        cut=cut,
    )


def _distinct(raws: Sequence[Raw]) -> list[Raw]:
    """A model that repeats itself gives the same again and again; without a name, a quote may be said of many rows."""
    kept: dict[tuple[str, str, int | None], Raw] = {}
    several = [raw for raw in raws if not raw.name]
    for raw in raws:
        if raw.name:
            kept.setdefault((raw.quote, raw.name, raw.number), raw)
    return [*kept.values(), *several]
