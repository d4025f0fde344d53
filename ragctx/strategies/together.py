"""Drives several works side by side as one: their requests go out together, and each moves on by its own replies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar, cast

from ragctx.errors import BudgetSpent, RagctxError, RequestFailed
from ragctx.work import Failure, Generate, Reply, Request, Work

T = TypeVar("T")
_NOTHING: Sequence[Request] = ()


@dataclass(slots=True, eq=False)
class _Branch(Generic[T]):
    """One of the works: what it waits for, or what came of it."""

    work: Work[T]
    over: bool = False
    waits_for: Sequence[Request] = field(default=_NOTHING)
    outcome: T | RagctxError | None = None

    def start(self) -> None:
        self._step(lambda: next(self.work))

    def receive(self, replies: Sequence[Reply]) -> None:
        """Give the work its replies; a failure that it does not tolerate is raised in it alone."""
        for request, reply in zip(self.waits_for, replies, strict=True):
            if isinstance(reply, Failure) and not request.tolerant:
                return self.fail(RequestFailed(reply.kind, reply.message))
        return self._step(lambda: self.work.send(replies))

    def fail(self, error: RagctxError) -> None:
        """Raise an error where the work waits; it may go on from what it has."""
        self._step(lambda: self.work.throw(error))

    def _step(self, advance: Callable[[], Sequence[Request]]) -> None:
        try:
            self.waits_for = advance()
        except StopIteration as done:
            self.over, self.outcome = True, done.value
        except RagctxError as error:
            self.over, self.outcome = True, error


def together(works: Iterable[Work[T]]) -> Work[list[T | RagctxError]]:
    """The results of all works in their order; where one raised, its error stands in its place.

    In every round the requests of all works that are not over go out as one batch, so that a dozen works take as long
    as the slowest and not as all of them. A request that fails ends only the work that asked it. Where the budget does
    not allow a whole batch, its halves are tried one after the other, so that the first works still get what there is
    and `BudgetSpent` is raised in those alone that do not. No request is final: nobody could read several streams.

    Args:
        works: none started yet. Closing closes them all.

    Example:
        >>> from ragctx.work import Completion, Message, ask, run
        >>> works = [ask(Generate((Message("user", text),))) for text in ("one", "two")]
        >>> replies = run(together(works), lambda asked: [Completion(f"{len(asked)} asked") for _ in asked])
        >>> [reply.text for reply in succeeded(replies)]
        ['2 asked', '2 asked']
    """
    branches = [_Branch(work) for work in works]
    try:
        for branch in branches:
            branch.start()
        while waiting := [branch for branch in branches if not branch.over]:
            yield from _exchanged(waiting)
    finally:
        for branch in branches:
            branch.work.close()
    return [cast("T | RagctxError", branch.outcome) for branch in branches]


def succeeded(outcomes: Iterable[T | RagctxError]) -> list[T]:
    """The results, all of them.

    Raises:
        RagctxError: the first error among them.
    """
    results: list[T] = []
    for outcome in outcomes:
        if isinstance(outcome, RagctxError):
            raise outcome
        results.append(outcome)
    return results


def _exchanged(waiting: Sequence[_Branch[T]]) -> Work[None]:
    """One batch out, and every branch moved on by its part of the replies."""
    try:
        replies = yield [_tolerant(request) for branch in waiting for request in branch.waits_for]
    except BudgetSpent as spent:
        if len(waiting) > 1 and spent.what != "seconds":
            half = len(waiting) // 2
            yield from _exchanged(waiting[:half])
            yield from _exchanged(waiting[half:])
            return
        _fail(waiting, spent)
    except RagctxError as error:
        _fail(waiting, error)
    else:
        left = iter(replies)
        for branch in waiting:
            branch.receive([next(left) for _ in branch.waits_for])


def _fail(waiting: Sequence[_Branch[T]], error: RagctxError) -> None:
    for branch in waiting:
        branch.fail(error)


def _tolerant(request: Request) -> Request:
    """The request as it goes out: its failure is told to its own work alone."""
    if isinstance(request, Generate):
        return replace(request, tolerant=True, final=False)
    return replace(request, tolerant=True)
