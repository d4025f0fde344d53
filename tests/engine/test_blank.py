"""A model that writes nothing has not answered: it is asked again, and its silence is never stored."""

import pytest

from ragctx.engine import MemoryStore
from ragctx.readers.scripted import Scripted, ScriptedRemote
from ragctx.work import Completion

STYLES = [Scripted, ScriptedRemote]


def in_turn(*texts):
    said = iter(texts)
    return lambda request: Completion(next(said), 7, 2)


@pytest.mark.parametrize("style", STYLES)
def test_it_is_asked_again_and_every_attempt_is_billed(engine_of, works, style):
    store = MemoryStore()
    outcome = engine_of(style(default=in_turn("", " \n", "at last")), store=store).run(works.one("q"))
    assert outcome.result() == "at last"
    assert (outcome.usage.tokens, outcome.usage.calls) == (27, 1)
    assert store.info().entries == 1


@pytest.mark.parametrize("style", STYLES)
def test_silence_is_a_failure_and_not_stored(engine_of, works, style):
    store = MemoryStore()
    outcome = engine_of(style(default=" "), store=store, attempts=2).run(works.one("q"))
    assert outcome.error.kind == "empty"
    assert "scripted wrote nothing" in str(outcome.error)
    assert store.info().entries == 0


@pytest.mark.parametrize("sampling", [{"max_tokens": 0}, {"max_tokens": 9, "ignore_end": True}])
def test_silence_that_was_asked_for_is_a_reply(engine_of, works, sampling):
    assert engine_of(Scripted(default=" ")).run(works.one("q", sampling=sampling)).error is None
