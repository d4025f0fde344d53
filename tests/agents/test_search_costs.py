"""What a retriever asks of models is in the plan of whoever searches with it, as often as is searched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from ragctx.corpus import Corpus
from ragctx.models import ModelFacts, Models
from ragctx.registry import find, make, names, options
from ragctx.types import Context, Line, Question, Range
from ragctx.work import Embed

SEARCHING = [
    name
    for name in names("strategies")
    if "retriever" in options("strategies", name) and find("strategies", name).__module__.startswith("ragctx.")
]
OFTEN = {"iterative", "agent-write"}


@dataclass(frozen=True, slots=True)
class Dear:
    """Bills 1,000 tokens a search."""

    name: ClassVar[str] = "dear"

    def prepare(self, corpus, models):
        yield from ()

    def retrieve(self, question, corpus, limit, models):
        yield [Embed((question.text,), query=True)]
        return Context()

    def lines(self, question, corpus, limit, models):
        assert limit > 0
        assert len(corpus.chunks)
        return (Line("searcher", Range(500, 1_000, 2_000), Range(1, 2, 3), Range.exactly(1)),)


@pytest.mark.parametrize("name", SEARCHING)
def test_searches_are_in_the_plan(name: str) -> None:
    corpus = Corpus.of("\n\n".join(f"Clause {n} says that matter {n} was settled in {1900 + n}." for n in range(900)))
    every = frozenset({"Generate", "Rerank", "Prune", "Extract"})
    facts = ModelFacts("reader", window=8_192, kinds=every)
    models = Models({"reader": facts, "ranker": facts, "encoder": facts, "scorer": facts})
    strategy = make(
        "strategies", name, retriever=Dear(), **({"compressor": "bm25-sentences"} if name == "compress" else {})
    )
    estimate = strategy.estimate(Question("What was settled in 1950?"), corpus, models)
    [searched] = [line for line in estimate.lines if line.role == "searcher"]
    assert (searched.prompt.low, searched.calls.low) == (500, 1)
    assert searched.calls.high > 1 if name in OFTEN else searched.calls.high == 1
    assert searched.prompt.high == 2_000 * searched.calls.high
