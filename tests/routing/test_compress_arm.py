"""The arm that reads compressed text: what its scorer reads is not billed to the question, and where it is taken."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ragctx import Budget, Corpus, Question
from ragctx.models import ModelFacts, Models
from ragctx.readers.script import WordCounter
from ragctx.routing import Policy, costs, decide
from ragctx.types import Estimate, Line, Prices, Range, Speed
from ragctx.types.costs import ZERO

FACT, COMPARISON = "When was the lease signed?", "Compare the rent of 2019 with the rent of 2020."


@dataclass(frozen=True)
class Arm:
    """A strategy that spends what it says."""

    name: str
    spends: Estimate

    def estimate(self, question: Question, corpus: Corpus, models: Models) -> Estimate:
        return self.spends


SCORING = Line("scorer", Range.exactly(9000), ZERO, Range.exactly(40))
COMPRESSED = Estimate((*Estimate.exactly(prompt=1900, output=(1, 40, 256)).lines, SCORING))
ARMS = {
    "compress": Arm("compress", COMPRESSED),
    "retrieve": Arm("retrieve", Estimate.exactly(prompt=700, output=(1, 40, 256))),
    "full": Arm("full", Estimate.exactly(prompt=7000, output=(1, 40, 256))),
}
CORPUS = Corpus.of("The lease was signed in May. The rent of 2019 was 900, the rent of 2020 was 950. " * 90)


def models(**facts: object) -> Models:
    reader = ModelFacts("reader", WordCounter(), 131072, **facts)
    return Models({"reader": reader, "scorer": ModelFacts("scorer", WordCounter())})


def test_a_scorers_tokens_are_none_of_the_readers() -> None:
    assert (COMPRESSED.prompt.high, COMPRESSED.calls.high) == (1900, 1)
    assert costs.over_budget(COMPRESSED, Budget(tokens=2200, calls=1)) == ""
    assert models(prices=Prices(1.0, 1.0), speed=Speed(1000, 20)).price(COMPRESSED).money is not None


def test_the_policy_knows_the_arm_between_retrieving_and_reading_all() -> None:
    figures = Policy.load().strategies
    assert figures["compress"].toward == "full"
    for kind, points in figures["compress"].quality.items():
        assert [share for share, _ in points] == [0.02, 0.1, 0.25]
        assert max(q for _, q in points) <= max(0.83, figures["full"].quality[kind][0][1])


@pytest.mark.parametrize(
    ("asked", "budget", "taken"),
    [(FACT, None, "retrieve"), (COMPARISON, None, "full"), (COMPARISON, 3000, "compress")],
)
def test_it_is_taken_where_all_would_be_read_and_cannot(asked: str, budget: int | None, taken: str) -> None:
    assert decide(Question(asked), CORPUS, models(), ARMS, budget=budget).strategy == taken
