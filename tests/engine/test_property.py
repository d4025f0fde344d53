"""Random scripted works: sync and async agree, with each other and with the simplest driver; budgets hold."""

import asyncio
import re
from dataclasses import dataclass, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragctx import work as plain
from ragctx.engine import Backoff, Engine, Job
from ragctx.errors import LimitError, RequestFailed
from ragctx.readers.scripted import Rule, Scripted, ScriptedRemote
from ragctx.types import Budget
from ragctx.work import Failure, Generate, Message, Sampling, Score

TINY = Backoff(initial=0.0005, longest=0.001, jitter=0.0)
MANY = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@dataclass(frozen=True)
class Ask:
    """One request: how it goes is written into its text, where the script's rules find it."""

    fate: str  # "fine", "flaky" (fails once) or "never"
    delay: int  # milliseconds
    words: int
    tolerant: bool = False
    score: bool = False

    def request(self, name: str):
        if self.score:
            return Score(name, "word " * self.words, tolerant=self.tolerant)
        text = f"{name} {self.fate} {self.delay}ms say {self.words}"
        return Generate((Message("user", text),), sampling=Sampling(max_tokens=8), tolerant=self.tolerant)


@dataclass(frozen=True)
class Step:
    """A node of the tree: asks at once, then goes on with the children."""

    asks: tuple[Ask, ...]
    catches: bool
    children: tuple["Step", ...] = ()


asks = st.builds(
    Ask,
    st.sampled_from(["fine", "fine", "fine", "flaky", "never"]),
    st.integers(0, 2),
    st.integers(0, 12),
    st.booleans(),
    st.sampled_from([False, False, True]),
)
steps = st.recursive(
    st.builds(Step, st.lists(asks, max_size=4).map(tuple), st.booleans()),
    lambda inner: st.builds(
        Step, st.lists(asks, max_size=4).map(tuple), st.booleans(), st.lists(inner, max_size=3).map(tuple)
    ),
    max_leaves=5,
)
budgets = st.none() | st.builds(Budget, tokens=st.none() | st.integers(0, 200), calls=st.none() | st.integers(0, 8))
trees = st.lists(st.tuples(steps, budgets), min_size=1, max_size=6)


def walk(step, name):
    """The work of a tree: what it heard, in order."""
    heard = []
    try:
        replies = yield [ask.request(f"{name}-{i}") for i, ask in enumerate(step.asks)]
        heard.append([said(reply) for reply in replies])
    except (RequestFailed, LimitError) as error:
        if not step.catches:
            raise
        heard.append(str(error))
    for i, child in enumerate(step.children):
        heard.append((yield from walk(child, f"{name}.{i}")))
    return heard


def said(reply):
    return (reply.kind, reply.attempts) if isinstance(reply, Failure) else replace(reply, seconds=0.0)


def model(style, billed=False):
    """A new model that obeys the texts."""
    flaky = Failure("empty", "nothing came: ask again", prompt_tokens=7 * billed, output_tokens=8 * billed)
    never = Failure("unauthorised", "never: stop asking")
    rules = []
    for ms in range(3):
        rules += [
            Rule(re.compile(f"never {ms}ms"), never, delay=ms / 1000),
            Rule(re.compile(f"flaky {ms}ms"), words, delay=ms / 1000, failures=1, failure=flaky),
            Rule(re.compile(f"fine {ms}ms"), words, delay=ms / 1000),
        ]
    return style(rules)


def words(request):
    return "word " * max(1, int(request.messages[0].content.split()[-1]))  # an empty text is a failure


def jobs(trees):
    return [Job(str(n), lambda n=n, step=step: walk(step, f"w{n}"), budget) for n, (step, budget) in enumerate(trees)]


def engine(style, **options):
    reader = model(style, options.pop("billed", False))
    return Engine({"reader": reader, "scorer": reader}, backoff=TINY, **options)


def plainly(outcome):
    """An outcome without its clock."""
    charges = tuple(replace(charge, seconds=0.0) for charge in outcome.usage.charges)
    return outcome.value, repr(outcome.error), charges


def by_sync(trees, style, **options):
    with engine(style, **options) as made:
        return {outcome.key: plainly(outcome) for outcome in made.map(jobs(trees))}


def by_async(trees, style, **options):
    async def main(made):
        return {outcome.key: plainly(outcome) async for outcome in made.amap(jobs(trees))}

    with engine(style, **options) as made:
        return asyncio.run(main(made))


def by_gather(trees, style, **options):
    async def main(made):
        outcomes = await asyncio.gather(*map(made.arun, jobs(trees)))
        return {outcome.key: plainly(outcome) for outcome in outcomes}

    with engine(style, **options) as made:
        return asyncio.run(main(made))


@MANY
@given(trees)
def test_sync_and_async_give_the_same_answers_and_ledgers(trees):
    first = by_sync(trees, Scripted)
    assert first == by_async(trees, Scripted)
    assert first == by_gather(trees, ScriptedRemote)
    assert first == by_sync(trees, ScriptedRemote, in_flight=2)


def firm(step):
    """The tree without flaky requests: they are the engine's business."""
    asks = tuple(replace(ask, fate="fine" if ask.fate == "flaky" else ask.fate) for ask in step.asks)
    return Step(asks, step.catches, tuple(map(firm, step.children)))


@MANY
@given(steps)
def test_the_engine_agrees_with_the_simplest_driver(step):
    step = firm(step)
    reader = model(Scripted)
    try:
        expected = plain.run(walk(step, "w0"), lambda requests: reader.serve(requests, lambda i, text: None)), "None"
    except RequestFailed as error:
        expected = None, repr(error)
    assert by_sync([(step, None)], Scripted)["0"][:2] == expected


# Works that would overdraw at the first mistake: long outputs, failures that are billed, a budget for about three.
greedy = st.builds(Ask, st.sampled_from(["fine", "flaky"]), st.just(0), st.integers(7, 12), st.booleans())
spenders = st.lists(
    st.tuples(
        st.builds(
            Step,
            st.lists(greedy, min_size=1, max_size=3).map(tuple),
            st.just(True),
            st.lists(st.builds(Step, st.lists(greedy, max_size=3).map(tuple), st.just(True)), max_size=3).map(tuple),
        ),
        st.builds(Budget, tokens=st.integers(15, 70)),
    ),
    min_size=1,
    max_size=6,
)


@MANY
@given(trees | spenders, st.sampled_from([Scripted, ScriptedRemote]), st.integers(1, 4))
def test_budgets_are_never_exceeded(trees, style, attempts):
    """With an exact counter, whatever fails, is retried and is billed nevertheless."""
    with engine(style, billed=True, attempts=attempts) as made:
        for outcome in made.map(jobs(trees)):
            budget = trees[int(outcome.key)][1] or Budget()
            assert outcome.usage.tokens <= (outcome.usage.tokens if budget.tokens is None else budget.tokens)
            assert outcome.usage.calls <= (outcome.usage.calls if budget.calls is None else budget.calls)


@pytest.mark.parametrize("style", [Scripted, ScriptedRemote])
def test_a_hundred_works_at_once(style):
    step = Step((Ask("fine", 1, 3), Ask("flaky", 0, 2)), False, (Step((Ask("never", 0, 1, tolerant=True),), False),))
    assert by_sync([(step, None)] * 100, style) == by_gather([(step, None)] * 100, style)
