"""Strategies that read with several calls: what goes to which, and what nobody considers unless it is named."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ragctx import Corpus, Pipeline, Question
from ragctx.assembly import considered, strategies
from ragctx.errors import ConfigError, UnknownName
from ragctx.models import ModelFacts, Models
from ragctx.readers.script import WordCounter
from ragctx.readers.scripted import Scripted
from ragctx.registry import names
from ragctx.routing import Policy, decide
from ragctx.strategies import Full, Retrieve
from ragctx.types import Estimate


@dataclass(frozen=True)
class Arm:
    """A strategy that spends what it says."""

    name: str
    prompt: int
    calls: int = 1

    def estimate(self, question: Question, corpus: Corpus, models: Models) -> Estimate:
        return Estimate.exactly(
            prompt=self.prompt, output=(min(1, self.calls), 40 * self.calls, 256 * self.calls), calls=self.calls
        )


CORPUS = Corpus.of("The lease was signed in May. The rent of 2019 was 900, the rent of 2020 was 950. " * 900)
READS = {"extract": (0, 0), "retrieve": (900, 1), "full": (19_000, 1), "compress": (4000, 1)}
SEVERAL = {"chain-of-agents": (24_000, 6), "iterative": (2900, 4), "map-extract": (23_000, 6), "summarise": (21_000, 8)}
ARMS = {name: Arm(name, *spends) for name, spends in {**READS, **SEVERAL}.items()}
ASKED = {
    "When was the lease signed?": {"retrieve", "extract", "compress"},
    "List all rents of the lease.": {"map-extract"},
    "Give me a summary of the lease.": {"summarise"},
    "Who signed the lease, and when was it signed?": {"iterative"},
    "Compare the rent of 2019 with the rent of 2020.": {"full"},
}


def models(window: int) -> Models:
    return Models({"reader": ModelFacts("reader", WordCounter(), window), "ranker": ModelFacts("r", WordCounter())})


@pytest.mark.parametrize(("asked", "taken"), ASKED.items())
def test_each_kind_goes_to_what_is_made_for_it(asked: str, taken: set[str]) -> None:
    assert decide(Question(asked), CORPUS, models(131_072), ARMS).strategy in taken


@pytest.mark.parametrize("asked", ASKED)
def test_a_small_reader_is_not_made_to_call_many_times(asked: str) -> None:
    before = {name: arm for name, arm in ARMS.items() if name in READS}
    small = models(8192)
    assert (
        decide(Question(asked), CORPUS, small, ARMS).strategy == decide(Question(asked), CORPUS, small, before).strategy
    )


def test_a_text_that_no_window_holds_is_read_by_a_chain_for_a_comparison() -> None:
    arms = {name: ARMS[name] for name in ("retrieve", "chain-of-agents")}
    assert decide(
        Question("Compare the rent of 2019 with the rent of 2020."), CORPUS, models(131_072), arms
    ).strategy == ("chain-of-agents")


def test_every_installed_strategy_has_figures_or_is_named() -> None:
    policy = Policy.load()
    assert set(names("strategies")) <= set(policy.strategies) | set(policy.by_name)
    assert len(considered(names("strategies"), policy)) <= 9, "a plan that lists more is not read"


def test_what_is_by_name_is_there_and_not_considered() -> None:
    with Pipeline.over(CORPUS, reader=Scripted(), encoder=None, ranker=None, cache=False) as made:
        assert set(made.strategies) == set(names("strategies"))
        assert not made.considered & set(Policy.load().by_name)
        planned = made.plan("When was the lease signed?")[0].decision
        assert {candidate.strategy for candidate in planned.candidates} == made.considered
        assert made.plan("When was the lease signed?", strategy="escalate")[0].decision.strategy == "escalate"


def test_whoever_names_the_strategies_has_them_all_considered() -> None:
    with Pipeline.over(
        CORPUS, reader=Scripted(), encoder=None, strategies=["escalate", "retrieve"], cache=False
    ) as made:
        assert made.considered == {"escalate", "retrieve"}
    mine = {"mine": Retrieve(tokens=300), "full": Full()}
    with Pipeline.over(CORPUS, reader=Scripted(), encoder=None, strategies=mine, cache=False) as made:
        assert made.considered == {"mine", "full"}
    assert considered(["escalate"], Policy.load()) == {"escalate"}


def test_crag_is_clustered_and_says_so() -> None:
    with Pipeline.over(
        CORPUS, reader=Scripted(), encoder=None, strategies=["crag"], strategy_options={"crag": {"tokens": 300}},
        cache=False,
    ) as made:  # fmt: skip
        assert {name: way.tokens for name, way in made.strategies.items()} == {"clustered": 300}
        assert any("Akesson and Santos" in note for note in made.notes)


def test_options_of_strategies_that_are_made_by_name() -> None:
    made = strategies(["retrieve", "full"], {"retrieve": {"tokens": 300, "order": "score"}})
    assert made == {"retrieve": Retrieve(tokens=300, order="score"), "full": Full()}
    escalating = strategies("escalate", {"escalate": {"checks": ["refusal"], "most": None}})["escalate"]
    assert (escalating.checks, escalating.most) == (("refusal",), None)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"retrieve": {"tokens": "many"}}, "retrieve: tokens='many' is no int | None"),
        ({"retrieve": {"tokens": True}}, "tokens=True"),
        ({"retrieve": {"templates": "x"}}, "templates='x' is no Templates"),
        ({"retrieve": {"order": "sideways"}}, "order='sideways'"),
        ({"retrieve": {"tokes": 3}}, "retrieve has no option tokes: it has"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, dict[str, object]], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        strategies(None, options)
    assert told in str(caught.value)


def test_options_of_what_is_not_there() -> None:
    with pytest.raises(UnknownName, match="did you mean 'retrieve'"):
        strategies(None, {"retreive": {}})
    with pytest.raises(ConfigError, match="given by name"):
        strategies({"full": Full()}, {"full": {"max_output": 3}})
