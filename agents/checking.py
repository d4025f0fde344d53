"""One short call for every item that was found: is it one of what the question counts?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from ragctx.agents.places import Item
from ragctx.agents.sieving import Sieved
from ragctx.models import ModelFacts
from ragctx.prompts.tasks import Task
from ragctx.strategies.purse import Purse
from ragctx.types import Question
from ragctx.work import Completion, Failure, Generate, Reply, Sampling, Work

JUDGE = "judge"
# Tokens of a yes or no, and characters of the text that it is said of.
VERDICT, _LONGEST = 4, 600


def checked(kept: Sieved, what: str, question: Question, task: Task, purse: Purse, judge: ModelFacts) -> Work[Sieved]:
    """The items that a model does not say no to; all of them where it says no to each, or the budget holds no check.

    Args:
        kept: the items.
        what: one item in words.
        question: as it was asked.
        task: has the template "check".
        purse: what may be spent.
        judge: the model that is asked.
    """
    requests = [_request(item, what, question, task) for item in kept.items]
    if not _allowed(requests, purse, judge):
        return replace(kept, notes=(*kept.notes, "items were not checked: window or budget are too small for it"))
    replies: Sequence[Reply] = (yield requests) if requests else ()
    for reply in replies:
        purse.paid(cast("Completion | Failure", reply))
    no = [isinstance(reply, Completion) and reply.text.strip(" *\"'").lower().startswith("no") for reply in replies]
    if not any(no):
        return kept
    if all(no):
        return replace(kept, notes=(*kept.notes, "the check said no to every item: it was not followed"))
    left = tuple(item for item, refused in zip(kept.items, no, strict=True) if not refused)
    return Sieved(left, (*kept.notes, f"{sum(no)} of {len(no)} items were left out by the check"))


def _request(item: Item, what: str, question: Question, task: Task) -> Generate:
    heading = f"{item.heading}\n" if item.heading else ""
    told = item.told if len(item.told) <= _LONGEST else item.quote[:_LONGEST]
    messages = task.messages("check", item=what, question=question.text, told=told, heading=heading)
    sampling = Sampling(max_tokens=VERDICT)
    return Generate(messages, role=JUDGE, purpose="check item", sampling=sampling, tolerant=True)


def _allowed(requests: Sequence[Generate], purse: Purse, judge: ModelFacts) -> bool:
    prompts = [judge.counter.render(request.messages) for request in requests]
    tokens, calls = purse.left(), purse.calls_left()
    fits = judge.window is None or all(prompt + VERDICT <= judge.window for prompt in prompts)
    enough = tokens is None or sum(prompts) + VERDICT * len(prompts) <= tokens
    return fits and enough and (calls is None or len(requests) <= calls)
