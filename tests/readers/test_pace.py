"""What plans know of a model's speed: measured once, then learnt from what its calls take."""

from __future__ import annotations

import pytest

from ragctx import speeds
from ragctx.speeds import ENOUGH, Pace
from ragctx.types import Speed


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RAGCTX_CACHE", str(tmp_path))


def test_calls_correct_what_a_busy_machine_told():
    first = Pace.of("m")
    first.measured(Speed(100, 5))
    for _ in range(ENOUGH // 100):
        first.took(prompt=90, output=10, seconds=0.29)  # planned: 0.9 + 2 s
    first.keep()
    assert first.speed == Speed(100, 5), "plans of one process stay alike"
    later = Pace.of("m").speed
    assert (later.prompt, later.output) == pytest.approx((1000, 50), rel=1e-3)


def test_a_few_tokens_teach_nothing():
    pace = Pace.of("m")
    pace.measured(Speed(100, 5))
    pace.took(prompt=100, output=10, seconds=60.0)
    pace.keep()
    assert speeds.known("m") == Speed(100, 5)


def test_nothing_is_learnt_before_anything_is_measured():
    pace = Pace.of("m")
    pace.took(prompt=10 * ENOUGH, output=10, seconds=1.0)
    pace.keep()
    assert pace.learnt is None
    assert speeds.known("m") is None


def test_the_local_reader_learns(checkpoint, monkeypatch):
    from ragctx.readers import open_model
    from ragctx.work import Generate, Message, Sampling

    monkeypatch.setattr(speeds, "ENOUGH", 20)
    reader = open_model(f"local:{checkpoint}")
    asked = Generate((Message("user", "the rent is due on the first day"),), sampling=Sampling(max_tokens=4))
    reader.serve([asked], lambda i, text: None)
    measured = reader.facts.speed
    reader.serve([asked], lambda i, text: None)
    reader.close()
    learnt = open_model(f"local:{checkpoint}").facts.speed
    assert reader.facts.speed == measured != learnt
