"""The arm that asks no language model: what it costs in plans, when it is taken, how the choice is told."""

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


READING = Estimate((Line("ranker", Range.exactly(5000), ZERO, Range.exactly(1)),))
ARMS = {
    "extract": Arm("extract", READING),
    "retrieve": Arm("retrieve", Estimate.exactly(prompt=700, output=(1, 40, 256))),
    "full": Arm("full", Estimate.exactly(prompt=7000, output=(1, 40, 256))),
}
CORPUS = Corpus.of("The lease was signed in May. The rent of 2019 was 900, the rent of 2020 was 950. " * 90)


def models(window: int | None = 8192, speeds: tuple[Speed | None, Speed | None] = (None, None), **facts) -> Models:
    reader = ModelFacts("reader", WordCounter(), window, speed=speeds[0], **facts)
    return Models({"reader": reader, "ranker": ModelFacts("ranker", WordCounter(), speed=speeds[1])})


def test_a_rankers_tokens_are_none_of_the_readers():
    assert (READING.tokens.high, READING.calls.high, READING.lines[0].prompt.high) == (0, 0, 5000)
    assert costs.over_budget(READING, Budget(tokens=1, calls=0, money=0.0)) == ""


def test_its_seconds_count_where_speeds_are_known():
    known = models(speeds=(Speed(1000, 20), Speed(20_000, 1)))
    [chosen] = [c for c in decide(Question(FACT), CORPUS, known, ARMS).candidates if c.strategy == "extract"]
    assert chosen.estimate.seconds == Range.exactly(0.25)
    assert 0 < chosen.cost < 0.05
    [chosen] = [c for c in decide(Question(FACT), CORPUS, models(), ARMS).candidates if c.strategy == "extract"]
    assert (chosen.estimate.seconds, chosen.cost) == (None, 0.0)


def test_a_ranker_of_unknown_speed_hides_nobodys_seconds():
    both = Estimate((*ARMS["retrieve"].spends.lines, *READING.lines))
    assert models(speeds=(Speed(1000, 20), None)).price(both).seconds is not None
    assert models(speeds=(None, Speed(20_000, 1))).price(both).seconds is None


def test_a_ranker_without_a_price_is_free_where_money_is_known():
    assert models(prices=Prices(1.0, 1.0)).price(READING).money == ZERO
    assert models().price(READING).money is None


@pytest.mark.parametrize(("asked", "taken"), [(FACT, "extract"), (COMPARISON, "full")])
def test_a_small_reader_is_asked_only_where_copying_will_not_do(asked, taken):
    assert decide(Question(asked), CORPUS, models(), ARMS).strategy == taken


def test_a_large_reader_compares_what_was_found():
    arms = {name: ARMS[name] for name in ("extract", "retrieve")}
    assert decide(Question(COMPARISON), CORPUS, models(131_072), arms).strategy == "retrieve"


def test_the_reason_reads_well_on_either_side():
    why = decide(Question(FACT), CORPUS, models(), ARMS).why
    assert "extract asks no language model; " in why
    assert "inf" not in why
    other = decide(Question(COMPARISON), CORPUS, models(131_072), {k: ARMS[k] for k in ("extract", "retrieve")}).why
    assert "extract would ask no language model and lose" in other
    named = decide(Question(FACT), CORPUS, models(), ARMS, only="extract").why
    assert named == "extract was asked for by name; it asks no language model"


def test_the_policy_knows_the_arm():
    figures = Policy.load().strategies["extract"]
    assert figures.quality["single_fact"][0][1] > figures.quality["comparison"][0][1]
