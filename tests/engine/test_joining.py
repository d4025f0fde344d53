"""Equal requests that come one after the other, in the very turn in which the first is delivered, are all answered."""

from __future__ import annotations

from collections.abc import Iterator

from ragctx.engine import Engine, Job, MemoryStore
from ragctx.readers.scripted import Scripted
from ragctx.work import Generate, Message, Work, ask


def work(number: int) -> Work[str]:
    """Each asks the same three questions; works are at different places of them at any moment."""
    texts = []
    for turn in range(3):
        completion = yield from ask(Generate((Message("user", f"turn {(turn + number) % 3}"),)))
        texts.append(completion.text)
    return " ".join(texts)


def jobs(count: int) -> Iterator[Job[str]]:
    return (Job(str(number), lambda number=number: work(number)) for number in range(count))


def test_nobody_waits_for_a_call_that_has_delivered() -> None:
    with Engine({"reader": Scripted(default="yes")}, store=MemoryStore()) as engine:
        assert {outcome.result() for outcome in engine.map(jobs(2000))} == {"yes yes yes"}


def test_an_engine_may_leave_its_backends_to_another() -> None:
    reader = Scripted(default="yes")
    with Engine({"reader": reader}) as first:
        second = Engine({"reader": reader})
        assert second.run(work(0)).result() == "yes yes yes"
        second.close(backends=False)
        assert first.run(work(0)).result() == "yes yes yes"
