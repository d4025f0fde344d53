"""The ledger bills the time that a model worked, not the time that a request waited for its turn."""

from __future__ import annotations

import time

import pytest

from ragctx.engine import Engine
from ragctx.readers.scripted import Rule, Scripted, ScriptedRemote

SLOW = [Rule(reply="yes", delay=0.2)]


class Local(Scripted):
    """Looks at the clock itself: a busy machine makes every call longer."""

    took: list[float]

    def serve(self, requests, emit):
        began = time.perf_counter()
        replies = super().serve(requests, emit)
        self.took.append(time.perf_counter() - began)
        return replies


class Remote(ScriptedRemote):
    took: list[float]

    async def call(self, request, emit):
        began = time.perf_counter()
        reply = await super().call(request, emit)
        self.took.append(time.perf_counter() - began)
        return reply


@pytest.mark.parametrize("reader", [Local(SLOW, batch=2), Remote(SLOW, concurrency=1)])
def test_waiting_for_others_is_not_billed(reader, works) -> None:
    reader.took = []
    with Engine({"reader": reader}) as engine:
        usages = [outcome.usage for outcome in engine.map(works.jobs(4))]
    assert min(reader.took) >= 0.2
    assert sum(usage.seconds for usage in usages) == pytest.approx(sum(reader.took), rel=0.2)
    assert max(usage.seconds for usage in usages) < 1.5 * max(reader.took)
