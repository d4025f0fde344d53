"""Equal requests that come one after the other, in the very turn in which the first is delivered, are all answered."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ragctx.engine import Engine, Job, MemoryStore
from ragctx.readers.scripted import Scripted
from ragctx.work import Generate, Message, Reply, Request, Work, ask


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


class Watched(Scripted):
    """Says how many threads were in `serve` at once, at most."""

    def __init__(self) -> None:
        super().__init__(default="yes")
        self.within, self.most = 0, 0

    def serve(self, requests: Sequence[Request], emit: Callable[[int, str], None]) -> list[Reply]:
        self.within += 1
        self.most = max(self.most, self.within)
        time.sleep(0.005)
        replies = super().serve(requests, emit)
        self.within -= 1
        return replies


def test_jobs_with_stores_of_their_own_share_the_lane_and_no_reply() -> None:
    reader, stores = Watched(), [MemoryStore(), MemoryStore()]
    with Engine({"reader": reader}) as engine:
        outcomes = list(engine.map(replace(job, store=stores[int(job.key) % 2]) for job in jobs(200)))
    assert {outcome.result() for outcome in outcomes} == {"yes yes yes"}
    assert reader.most == 1
    assert [store.info().entries for store in stores] == [3, 3]
    assert sum(len(served) for served in reader.calls) == 6  # each of three questions once for each store


def test_a_job_without_a_store_uses_the_engines_and_a_stores_owner_may_drop_it() -> None:
    own, other = MemoryStore(), MemoryStore()
    with Engine({"reader": Scripted(default="yes")}, store=own) as engine:
        [job] = jobs(1)
        engine.run(replace(job, store=other))
        assert (own.info().entries, other.info().entries) == (0, 3)
        assert engine.run(job).usage.replayed == 0
        assert engine.run(replace(job, store=own)).usage.replayed == 3
        gone = weakref.ref(other)
        del other
        gc.collect()
        assert gone() is None
