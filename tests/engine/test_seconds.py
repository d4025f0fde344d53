"""The ledger bills the time that a model worked, not the time that a request waited for its turn."""

from __future__ import annotations

import pytest

from ragctx.engine import Engine
from ragctx.readers.scripted import Rule, Scripted, ScriptedRemote


@pytest.mark.parametrize(
    "reader",
    [Scripted([Rule(reply="yes", delay=0.2)], batch=2), ScriptedRemote([Rule(reply="yes", delay=0.2)], concurrency=1)],
)
def test_waiting_for_others_is_not_billed(reader, works) -> None:
    with Engine({"reader": reader}) as engine:
        usages = [outcome.usage for outcome in engine.map(works.jobs(4))]
    worked = 0.2 * len(reader.calls)
    assert sum(usage.seconds for usage in usages) == pytest.approx(worked, rel=0.2)
    assert max(usage.seconds for usage in usages) < 0.3
