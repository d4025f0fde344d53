"""Works to drive, and engines that are closed when a test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from ragctx.engine import Backoff, Engine, Job
from ragctx.work import Generate, Message, Sampling, ask

TINY = Backoff(initial=0.001, longest=0.002, jitter=0.0, patience=1.0)


@pytest.fixture
def engine_of() -> Iterator[Callable[..., Engine]]:
    """Makes engines with tiny waits between attempts; closes them all."""
    made = []

    def make(reader=None, **options) -> Engine:
        backends = options.pop("backends", None) or {"reader": reader}
        made.append(Engine(backends, **{"backoff": TINY, **options}))
        return made[-1]

    yield make
    for engine in made:
        engine.close()


@pytest.fixture(scope="session")
def works() -> SimpleNamespace:
    """Small works: `prompt` makes a request, `one` asks it, `many` asks several at once, `chain` one after another."""

    def prompt(text: str, **options) -> Generate:
        sampling = Sampling(**options.pop("sampling", {"max_tokens": 50}))
        return Generate((Message("user", text),), sampling=sampling, **options)

    def one(text: str, **options):
        completion = yield from ask(prompt(text, **options))
        return completion.text

    def many(*texts: str, **options):
        replies = yield [prompt(text, **options) for text in texts]
        return [getattr(reply, "text", reply) for reply in replies]

    def chain(*texts: str):
        said = []
        for text in texts:
            said += [(yield from one(text))]
        return said

    def jobs(count: int, text: str = "question"):
        return (Job(str(i), lambda i=i: one(f"{text} {i}")) for i in range(count))

    return SimpleNamespace(prompt=prompt, one=one, many=many, chain=chain, jobs=jobs)
