"""Makes the runs of one strategy differ: other samples, other orders, other passages, other demonstrations."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from ragctx.contracts import Retriever, Strategy
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError, RagctxError
from ragctx.models import Models
from ragctx.strategies import finding
from ragctx.strategies.ordering import ORDERS
from ragctx.strategies.purse import Purse
from ragctx.types import Context, Dropped, Question
from ragctx.types.costs import UNMETERED_ROLES
from ragctx.work import Completion, Failure, Generate, Request, Work

T = TypeVar("T")
_LEFT_OUT = "left out of this run, so that the runs read different passages"


@dataclass(frozen=True, slots=True)
class Sparing:
    """A retriever that leaves out every `parts`-th passage, another share for each part; the best one always stays.

    Attributes:
        over: what finds. part: which share is left out, from 1. parts: how many shares there are.
    """

    over: Retriever
    part: int
    parts: int

    @property
    def name(self) -> str:
        """Name of the retriever that finds."""
        return self.over.name

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Build or refresh the index."""
        yield from self.over.prepare(corpus, models)

    def retrieve(self, question: Question, corpus: Corpus, limit: int, models: Models) -> Work[Context]:
        """At most `limit` passages, best first."""
        found = yield from self.over.retrieve(question, corpus, limit + -(-limit // (self.parts - 1)), models)
        spared = {i for i in range(1, len(found.passages)) if i % self.parts == self.part % self.parts}
        kept = [passage for i, passage in enumerate(found.passages) if i not in spared][:limit]
        unread = [p for p in found.passages if p not in kept]
        dropped = [Dropped(span, _LEFT_OUT) for passage in unread for span in passage.spans]
        return replace(found, passages=tuple(kept), dropped=(*found.dropped, *dropped))


def _orders(strategy: Any, run: int, runs: int) -> dict[str, object]:  # noqa: ANN401 - any strategy with an order
    names = list(ORDERS)
    return {"order": names[(names.index(strategy.order) + run) % len(names)]}


def _spans(strategy: Any, run: int, runs: int) -> dict[str, object]:  # noqa: ANN401 - any strategy that retrieves
    return {"retriever": Sparing(finding.retriever(strategy.retriever), run, max(2, runs))}


def _demonstrations(strategy: Any, run: int, runs: int) -> dict[str, object]:  # noqa: ANN401 - any with demonstrations
    return {"start": strategy.start + run * max(1, strategy.shots)}


SAMPLES = "samples"
_BY_FIELD: Mapping[str, tuple[str, Callable[[Any, int, int], dict[str, object]]]] = {
    "orders": ("order", _orders),
    "spans": ("retriever", _spans),
    "demonstrations": ("start", _demonstrations),
}
WAYS = (SAMPLES, *_BY_FIELD)


def check(strategy: object, ways: Sequence[str]) -> None:
    """Refuse ways in which this strategy cannot be varied.

    Args:
        strategy: the strategy, or its class.
        ways: some of `WAYS`.

    Raises:
        ConfigError: with those in which it can.
    """
    known = {field.name for field in dataclasses.fields(strategy)} if dataclasses.is_dataclass(strategy) else set()
    can = [SAMPLES, *(way for way, (needed, _) in _BY_FIELD.items() if needed in known)]
    wrong = [way for way in ways if way not in can]
    if wrong or not ways:
        name = getattr(strategy, "name", "this strategy")
        raise ConfigError(f"{name} cannot be varied by {', '.join(wrong) or 'nothing'}: choose from {', '.join(can)}")


def varied(strategy: Strategy, run: int, runs: int, ways: Sequence[str]) -> Strategy:
    """The strategy of one run; that of run 0 is the strategy itself.

    Example:
        >>> from ragctx.strategies import Retrieve
        >>> [varied(Retrieve(), run, 3, ["orders"]).order for run in range(3)]
        ['edges', 'document', 'score']
    """
    if not run:
        return strategy
    changes: dict[str, object] = {}
    for way in ways:
        if way in _BY_FIELD:
            changes |= _BY_FIELD[way][1](strategy, run, runs)
    return cast("Strategy", replace(cast("Any", strategy), **changes)) if changes else strategy


def sampled(work: Work[T], run: int, temperature: float, seed: int, purse: Purse) -> Work[T]:
    """The same work with its completions sampled, and paid from a purse; run 0 asks what it would ask.

    Args:
        work: not started yet.
        run: its number; sample index and seed are made from it.
        temperature: of all completions; 0 leaves the requests as they are.
        seed: of run 0.
        purse: where what is billed is booked.
    """
    step: Callable[[Any], Sequence[Request]] = work.send
    given: object = None
    try:
        while True:
            requests = step(given)
            step = work.send
            try:
                replies = yield [_drawn(request, run, temperature, seed) for request in requests]
            except RagctxError as error:
                step, given = work.throw, error
                continue
            for request, reply in zip(requests, replies, strict=True):
                if isinstance(reply, Completion | Failure) and _writes(request):
                    purse.paid(reply)
            given = replies
    except StopIteration as done:
        return cast("T", done.value)
    finally:
        work.close()


def _writes(request: Request) -> bool:
    return isinstance(request, Generate) and request.role not in UNMETERED_ROLES


def _drawn(request: Request, run: int, temperature: float, seed: int) -> Request:
    if not isinstance(request, Generate) or not run or not temperature:
        return request
    drawn = replace(request.sampling, temperature=temperature, seed=seed + run, sample=run)
    return replace(request, sampling=drawn)
