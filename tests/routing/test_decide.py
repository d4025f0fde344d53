"""The choice: objective, limits, reasons, and how it moves with lambda and budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragctx.corpus import Corpus
from ragctx.errors import BadQuestion, ConfigError, DoesNotFit, LimitError, MissingExtra, UnknownName
from ragctx.models import ModelFacts, Models
from ragctx.routing import Policy, decide
from ragctx.routing.decide import choose
from ragctx.strategies import Full, Retrieve
from ragctx.types import Budget, Candidate, Decision, Estimate, Question, Where

COMPARISON = Question("How do the offers of Brightwell Heating and Norden Thermal differ?")
FACT = Question("Which bank holds the deposit?")
Strategies = Mapping[str, Any]


def test_comparisons_read_the_whole_text_and_facts_are_looked_up(
    corpus: Corpus, models: Models, two: Strategies
) -> None:
    assert decide(COMPARISON, corpus, models, two).strategy == "full"
    assert decide(FACT, corpus, models, two).strategy == "retrieve"
    assert decide(Question("Summarise the minutes."), corpus, models, two).strategy == "full"
    assert decide(Question("Which vaccine was given to the cattle?"), corpus, models, two).strategy == "retrieve"


def test_a_decision_tells_everything_it_was_made_from(corpus: Corpus, priced: Models, two: Strategies) -> None:
    decision = decide(FACT, corpus, priced, two)
    chosen, other = decision.candidates
    assert decision.chosen is chosen
    assert (chosen.strategy, other.strategy) == ("retrieve", "full")
    assert other.cost == 1.0
    assert chosen.cost == pytest.approx(chosen.estimate.money.expected / other.estimate.money.expected, abs=1e-4)
    assert chosen.score == pytest.approx(chosen.quality - decision.lam * chosen.cost, abs=1e-5)
    assert chosen.rejected == ""
    assert other.rejected.startswith("score 0.")
    assert decision.policy == Policy.load().label
    assert decision.lam == Policy.load().lam
    tokens = f"{decision.signals['document_tokens']:,.0f}"
    assert decision.why.startswith("single fact (0.")
    assert f"retrieve reads 400 of {tokens} tokens; full would cost " in decision.why
    assert decision.why.count("\n") == 0


def test_what_does_not_fit_is_out_in_words(corpus: Corpus, models: Models, too_long: Any, fixed: Any) -> None:
    decision = decide(COMPARISON, corpus, models, {"full": too_long, "retrieve": fixed("retrieve", 400)})
    assert decision.strategy == "retrieve"
    [rejected] = decision.rejected
    assert rejected.rejected == "needs 11,204 tokens, window 8,192"
    assert rejected.estimate.prompt.expected == 11_204
    assert decision.why.endswith("full is out: needs 11,204 tokens, window 8,192")


def test_a_real_window_that_is_too_small(corpus: Corpus, two: Strategies) -> None:
    decision = decide(COMPARISON, corpus, Models({"reader": ModelFacts("m", window=1_000)}), two)
    assert decision.strategy == "retrieve"
    assert decision.rejected[0].rejected.endswith("window 1,000")


def test_nothing_left_lists_every_rejection(corpus: Corpus, models: Models, too_long: Any, fixed: Any) -> None:
    strategies = {"full": too_long, "retrieve": fixed("retrieve", 400)}
    with pytest.raises(LimitError) as caught:
        decide(FACT, corpus, models, strategies, budget=300)
    assert "full: needs 11,204 tokens, window 8,192" in str(caught.value)
    assert "retrieve: may need 500 tokens, budget 300" in str(caught.value)
    decision = decide(FACT, corpus, models, strategies, budget=300, strict=False)
    assert (decision.strategy, decision.why) == ("", str(caught.value))
    assert all(candidate.rejected for candidate in decision.candidates)


def test_the_questions_own_budget_counts_beside_the_given_one(corpus: Corpus, models: Models, two: Strategies) -> None:
    tight = Question(COMPARISON.text, budget=Budget(tokens=600))
    assert decide(tight, corpus, models, two, budget=100_000).strategy == "retrieve"
    with pytest.raises(LimitError):
        decide(tight, corpus, models, two, budget=Budget(calls=0))


def test_a_strategy_that_cannot_run_here_is_out_and_others_stay(corpus: Corpus, models: Models, fixed: Any) -> None:
    missing = fixed("prune", refusal=MissingExtra("pruning", "local", "torch"))
    unbound = fixed("rank", role="ranker")
    decision = decide(FACT, corpus, models, {"prune": missing, "rank": unbound, "retrieve": fixed("retrieve", 400)})
    reasons = {candidate.strategy: candidate.rejected for candidate in decision.rejected}
    assert "pip install" in reasons["prune"]
    assert "no model plays the role 'ranker'" in reasons["rank"]
    with pytest.raises(MissingExtra):
        raise missing.refusal


def test_other_errors_are_not_swallowed(corpus: Corpus, models: Models, fixed: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        decide(FACT, corpus, models, {"odd": fixed("odd", refusal=ZeroDivisionError())})


def test_naming_the_strategy_compares_nothing(corpus: Corpus, models: Models, two: Strategies, too_long: Any) -> None:
    decision = decide(FACT, corpus, models, two, only="full")
    assert [candidate.strategy for candidate in decision.candidates] == ["full"]
    assert decision.why.startswith("full was asked for by name; it reads ")
    assert "bm25_top1" not in decision.signals
    with pytest.raises(UnknownName, match="did you mean 'retrieve'"):
        decide(FACT, corpus, models, two, only="retreive")
    with pytest.raises(LimitError, match="may need"):
        decide(FACT, corpus, models, two, only="full", budget=200)
    with pytest.raises(DoesNotFit, match="11,204"):
        decide(FACT, corpus, models, {"full": too_long}, only="full")


def test_one_question_that_fits_nothing_stops_no_plan(
    corpus: Corpus, models: Models, two: Strategies, too_long: Any, fixed: Any
) -> None:
    decision = decide(
        FACT, corpus, models, {"full": too_long, "retrieve": fixed("retrieve", 400)}, only="full", strict=False
    )
    assert decision.strategy == ""
    assert "full: needs 11,204 tokens, window 8,192" in decision.why
    assert decision.rejected[0].estimate.prompt.expected == 11_204
    with pytest.raises(UnknownName):
        decide(FACT, corpus, models, two, only="retreive", strict=False)
    missing = fixed("prune", refusal=MissingExtra("pruning", "local", "torch"))
    with pytest.raises(MissingExtra):
        decide(FACT, corpus, models, {"prune": missing}, only="prune", strict=False)


@pytest.mark.parametrize("only", [None, "full", "retrieve"])
def test_a_filter_that_admits_nothing_stops_no_plan(corpus: Corpus, models: Models, only: str | None) -> None:
    strategies = {"full": Full(), "retrieve": Retrieve(retriever="bm25")}
    asked = Question("Which bank holds the deposit?", where=Where(documents=("nowhere.txt",)))
    decision = decide(asked, corpus, models, strategies, only=only, strict=False)
    assert (decision.strategy, decision.candidates) == ("", ())
    assert "'nowhere.txt') admits no document" in decision.why
    assert decision.policy == Policy.load().label
    with pytest.raises(BadQuestion, match="admits no document"):
        decide(asked, corpus, models, strategies, only=only)


def test_a_strategy_the_policy_does_not_know(corpus: Corpus, models: Models, two: Strategies, fixed: Any) -> None:
    decision = decide(FACT, corpus, models, {**two, "theirs": fixed("theirs", 10)})
    [theirs] = [candidate for candidate in decision.candidates if candidate.strategy == "theirs"]
    assert theirs.quality == Policy.load().neutral
    assert "the policy has no figures for theirs" in theirs.estimate.notes[0]


def test_another_language_is_said(corpus: Corpus, models: Models, two: Strategies) -> None:
    decision = decide(Question("Welche Bank hält die Kaution?"), corpus, models, two)
    assert decision.signals["english"] == 0
    assert "every kind counts alike" in decision.why


def test_settings_that_make_no_sense(corpus: Corpus, models: Models, two: Strategies) -> None:
    with pytest.raises(ConfigError, match="no strategy to choose from"):
        decide(FACT, corpus, models, {})
    with pytest.raises(ConfigError, match="lambda"):
        decide(FACT, corpus, models, two, lam=-0.1)


def test_the_order_strategies_are_given_in_does_not_matter(corpus: Corpus, models: Models, two: Strategies) -> None:
    backwards = dict(reversed(two.items()))
    for question in (COMPARISON, FACT):
        assert decide(question, corpus, models, two) == decide(question, corpus, models, backwards)


def test_ties_go_to_the_cheaper_and_then_by_name() -> None:
    same = [Candidate(name, Estimate(), 0.5, cost, 0.5) for name, cost in (("c", 1.0), ("b", 0.5), ("a", 0.5))]
    assert choose(same, 0.0).strategy == "a"
    assert choose([same[0]], 0.0).strategy == "c"


menus = st.dictionaries(
    st.sampled_from(["full", "retrieve", "theirs", "chain"]),
    st.tuples(st.integers(1, 6_000), st.integers(0, 300), st.integers(1, 5)),
    min_size=1,
)
lams = st.floats(0, 2, allow_nan=False)
texts = st.sampled_from([COMPARISON, FACT, Question("List all sums of money."), Question("通知期间是多久？")])
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


def made(fixed: Callable[..., Any], menu: Mapping[str, tuple[int, int, int]]) -> Strategies:
    return {name: fixed(name, p, (0, o // 2, o), calls) for name, (p, o, calls) in menu.items()}


@given(menu=menus, question=texts, one=lams, two=lams)
@shared
def test_raising_lambda_never_picks_a_dearer_strategy(
    corpus: Corpus, priced: Models, fixed: Any, menu: Any, question: Question, one: float, two: float
) -> None:
    low, high = (decide(question, corpus, priced, made(fixed, menu), lam=lam) for lam in sorted((one, two)))
    assert high.chosen.cost <= low.chosen.cost


@given(menu=menus, question=texts, ceiling=st.integers(0, 8_000), calls=st.integers(0, 6))
@shared
def test_a_choice_is_never_over_its_budget(
    corpus: Corpus, models: Models, fixed: Any, menu: Any, question: Question, ceiling: int, calls: int
) -> None:
    decision = decide(
        question, corpus, models, made(fixed, menu), budget=Budget(tokens=ceiling, calls=calls), strict=False
    )
    within = [p for p, o, c in menu.values() if p + o <= ceiling and c <= calls]
    assert bool(decision.strategy) == bool(within)
    if decision.chosen:
        assert decision.chosen.estimate.tokens.high <= ceiling
        assert decision.chosen.estimate.calls.high <= calls


@given(menu=menus, question=texts, one=st.integers(0, 8_000), two=st.integers(0, 8_000))
@shared
def test_lowering_the_budget_never_raises_the_score(
    corpus: Corpus, models: Models, fixed: Any, menu: Any, question: Question, one: int, two: int
) -> None:
    tight, loose = (
        decide(question, corpus, models, made(fixed, menu), budget=b, strict=False) for b in sorted((one, two))
    )
    if tight.chosen:
        assert _best(tight) <= _best(loose)
        assert (
            loose.strategy == tight.strategy
            or loose.chosen.estimate.tokens.high > min(one, two)
            or (loose.chosen.score >= tight.chosen.score - Policy.load().margin)
        )


def _best(decision: Decision) -> float:
    limits = ("may need", "needs")
    return max(c.score for c in decision.candidates if not c.rejected.startswith(limits))
