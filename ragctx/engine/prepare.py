"""From a request to what the engine must know of it: who serves it, what it needs, under which key it is stored.

Runs on the worker thread that stepped the work, since counting and hashing a long prompt takes a while.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ragctx.engine.keys import reply_key
from ragctx.engine.lanes import Lane
from ragctx.errors import ConfigError
from ragctx.models import ModelFacts, Models
from ragctx.types.costs import UNMETERED_ROLES
from ragctx.work import Embed, Generate, Request, Rerank, Score, abilities


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request ready for dispatch.

    Attributes:
        key: of the reply store; None where the reply must not be reused.
        prompt: tokens of the rendered request. output: the most it may write.
        scope: of the job that asks.
    """

    request: Request
    lane: Lane
    facts: ModelFacts
    key: str | None
    prompt: int
    output: int
    scope: str

    @property
    def metered(self) -> bool:
        """Whether it counts against a budget's tokens and calls.

        What models that write read and write does. What encoders, rankers and scorers read stands in the ledger under
        their own roles and counts only as money, where they have a price: a token of a small local model is not a
        token of the one that answers.
        """
        return isinstance(self.request, Generate | Score) and self.request.role not in UNMETERED_ROLES

    @property
    def money(self) -> float:
        """The most the request can cost; 0 where no price is known."""
        return self.facts.prices.money(self.prompt, self.output) if self.facts.prices else 0.0


@dataclass(frozen=True, slots=True)
class Preparer:
    """Prepares the requests of works.

    Attributes:
        lanes: role -> the lane to the backend that plays it.
        remember: names of the request classes whose replies are stored.
    """

    lanes: Mapping[str, Lane]
    remember: Collection[str]

    def models(self) -> Models:
        """The facts of every role's model."""
        return Models({role: lane.facts for role, lane in self.lanes.items()})

    def prepare(self, requests: Sequence[Request], scope: str) -> list[Prepared]:
        """Every request of one `yield`, in order.

        Raises:
            ConfigError: nobody plays a role, or its model does not answer this kind of request.
            DoesNotFit: a rendered request is longer than its model's window.
            TypeError: the work yielded something else than requests.
        """
        return [self._one(request, scope) for request in requests]

    def _one(self, request: Request, scope: str) -> Prepared:
        kind = type(request).__name__
        if not isinstance(request, Generate | Score | Embed | Rerank):
            raise TypeError(f"a work yields a list of requests, this one holds a {kind}")
        lane = self._lane(request.role)
        facts = lane.facts
        lacking = abilities(request) - facts.kinds
        if lacking:
            able, asked = ", ".join(sorted(facts.kinds)), ", ".join(sorted(lacking))
            raise ConfigError(
                f"{facts.name} plays {request.role!r} and answers {able}, not {asked}: "
                f"name a model for it, e.g. Pipeline.over(..., {request.role}='...')"
            )
        prompt, output = _size(request, facts)
        if isinstance(request, Generate | Score):
            facts.must_fit(prompt, output)
        key = reply_key(request, facts, scope) if kind in self.remember else None
        return Prepared(request, lane, facts, key, prompt, output, scope)

    def _lane(self, role: str) -> Lane:
        if role in self.lanes:
            return self.lanes[role]
        self.models().of(role)  # the reader plays what nobody was named for, except what is never guessed
        return self.lanes["reader"]


def _size(request: Request, facts: ModelFacts) -> tuple[int, int]:
    """Prompt tokens as rendered, and the most output tokens."""
    counter = facts.counter
    match request:
        case Generate():
            return counter.render(request.messages), request.sampling.max_tokens
        case Score():
            parts = request.prefix, request.target
            return sum(counter.count(part) if isinstance(part, str) else len(part) for part in parts), 0
    if facts.prices is None:  # nobody will ask: encoders bill their own counts
        return 0, 0
    texts = sum(map(counter.count, request.texts))
    if isinstance(request, Embed):
        return texts, 0
    beside = counter.count(request.query) * len(request.texts) + sum(map(counter.count, request.titles))
    return texts + beside, 0  # a ranker reads the query, and a title, beside every text
