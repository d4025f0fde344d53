"""Signals: what each measures, and that they are the same every time."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragctx import windows
from ragctx.corpus import Corpus
from ragctx.models import ModelFacts, Models
from ragctx.routing import signals
from ragctx.routing.fitting import Outcome, telling
from ragctx.routing.names import known_signal
from ragctx.routing.signals import coverage, score_shape
from ragctx.routing.words import content_terms, is_english
from ragctx.types import Passage, Question, Span, Turn, Where
from ragctx.windows import Measured

# A machine at work on other things makes examples slowly; that says nothing of the code.
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_every_signal_is_named_and_finite(corpus: Corpus, priced: Models) -> None:
    found = signals(Question("What is the yearly rent of the boathouse?"), corpus, priced)
    assert all(known_signal(name) for name in found)
    assert all(isinstance(value, float) and math.isfinite(value) for value in found.values())
    assert all(round(value, 4) == value for value in found.values())
    assert (found["documents"], found["window"], found["fits"], found["price_prompt"]) == (3, 8192, 1, 2.0)
    assert found["window_ratio"] == pytest.approx(found["document_tokens"] / 8192, abs=1e-4)


def test_the_same_question_gives_the_same_signals_in_the_same_order(corpus: Corpus, models: Models) -> None:
    question = Question("Who voted against the heating offer and why?")
    first, second = (signals(question, corpus, models) for _ in range(2))
    assert list(first.items()) == list(second.items())


def test_what_is_not_known_is_absent(corpus: Corpus) -> None:
    found = signals(Question("What is the rent?"), corpus, Models({"reader": ModelFacts("m")}))
    absent = {"window", "window_ratio", "effective_window", "effective_ratio", "effective_measured", "fits"}
    assert not {*absent, "price_prompt"} & found.keys()


def test_the_effective_window_is_the_measured_one_and_says_so(corpus: Corpus) -> None:
    models = Models({"reader": ModelFacts("m", window=8192, identity="m:weights")})
    question = Question("What is the rent?")
    before = signals(question, corpus, models)
    assert (before["effective_window"], before["effective_measured"]) == (8192, 0)
    assert before["effective_ratio"] == before["window_ratio"]
    windows.keep("m:weights", Measured("m", 2048, 8192, ((1024, 1.0), (2048, 0.9), (8192, 0.1)), prompts=10))
    after = signals(question, corpus, models)
    assert (after["effective_window"], after["effective_measured"], after["window"]) == (2048, 1, 8192)
    assert after["effective_ratio"] == pytest.approx(4 * after["window_ratio"], abs=1e-3)
    assert after["window_ratio"] == before["window_ratio"]


def test_a_reader_that_could_not_be_measured_counts_by_what_it_declares(corpus: Corpus) -> None:
    windows.keep("m", Measured("m", None, 8192, ((1024, 0.1),), prompts=10))
    found = signals(Question("What is the rent?"), corpus, Models({"reader": ModelFacts("m", window=8192)}))
    assert (found["effective_window"], found["effective_measured"]) == (8192, 0)


def test_a_window_that_stands_in_is_not_learned_from() -> None:
    def rows(measured: float) -> list[Outcome]:
        held = [{"effective_ratio": at / 4, "window_ratio": at / 8, "effective_measured": measured} for at in range(4)]
        return [Outcome(f"q{at}", "a", "m", told, {}) for at, told in enumerate(held)]

    assert telling(rows(0)) == ("window_ratio",)
    assert telling(rows(1)) == ("effective_ratio", "window_ratio")


def test_documents_that_do_not_fit_say_so(corpus: Corpus) -> None:
    found = signals(Question("What is the rent?"), corpus, Models({"reader": ModelFacts("m", window=512)}))
    assert found["fits"] == 0
    assert found["window_ratio"] > 1


def test_a_filter_narrows_sizes_and_retrieval(corpus: Corpus, models: Models) -> None:
    everywhere = signals(Question("How many lapwings bred?"), corpus, models)
    lease = signals(Question("How many lapwings bred?", where=Where(("*lease*",))), corpus, models)
    assert lease["documents"] == 1
    assert lease["document_tokens"] < everywhere["document_tokens"]
    assert lease["coverage_top1"] < everywhere["coverage_top1"]
    assert lease["kind_unanswerable"] > everywhere["kind_unanswerable"]


def test_a_filter_that_admits_nothing(corpus: Corpus, models: Models) -> None:
    found = signals(Question("How many?", where=Where(("nothing",))), corpus, models)
    assert (found["documents"], found["document_tokens"]) == (0, 0)
    assert "bm25_top1" not in found


def test_a_follow_up_borrows_the_words_of_the_turn_before(corpus: Corpus, models: Models) -> None:
    alone = signals(Question("And the second quarter?"), corpus, models)
    history = (Turn("user", "How many visits did the library have in the third quarter?"), Turn("assistant", "8,150"))
    follow = signals(Question("And the second quarter?", history=history), corpus, models)
    assert follow["followup"] == 1 > alone["followup"]
    assert follow["bm25_top1"] != alone["bm25_top1"]


def test_retrieval_can_be_left_out(corpus: Corpus, models: Models) -> None:
    found = signals(Question("What is the rent?"), corpus, models, retrieval=False)
    assert not any(name.startswith(("bm25_", "coverage_")) for name in found)
    assert found["kind_unanswerable"] == 0


@pytest.mark.parametrize("text", ["???", "the of and", "通知期间", "\u200b.", "a" * 5000, "\ud83d\ude00"])
def test_odd_questions(corpus: Corpus, models: Models, text: str) -> None:
    found = signals(Question(text.encode("utf-16", "surrogatepass").decode("utf-16")), corpus, models)
    assert 0 <= found["coverage_top1"] <= found["coverage_top5"] <= 1


def test_odd_corpora(models: Models) -> None:
    for corpus in (Corpus.of("."), Corpus.of("One sentence."), Corpus.of("notice", "notice", "notice")):
        found = signals(Question("What is the notice period?"), corpus, models)
        assert 0 <= found["bm25_top1"] <= 1


def test_an_answered_question_stands_out_from_an_unanswered_one(corpus: Corpus, models: Models, data: Path) -> None:
    answered = signals(Question("Which bank holds the deposit?"), corpus, models)
    unanswered = signals(Question("Which vaccine was given to the cattle?"), corpus, models)
    for name in ("bm25_top1", "coverage_top1", "coverage_top5"):
        assert answered[name] > unanswered[name], name


@CALM
@given(st.lists(st.floats(0, 50), max_size=12), st.integers(1, 9), st.integers(0, 10_000))
def test_score_shapes_stay_within_0_and_1(scores: list[float], terms: int, chunks: int) -> None:
    shape = score_shape(sorted(scores, reverse=True), terms, chunks)
    assert all(0 <= value <= 1 + 1e-9 for value in shape.values())


@CALM
@given(st.lists(st.floats(0.5, 50), min_size=1, max_size=10), st.floats(0.1, 9))
def test_gaps_and_entropy_do_not_depend_on_the_scale_of_scores(scores: list[float], factor: float) -> None:
    ordered = sorted(scores, reverse=True)
    first, second = (score_shape([s * f for s in ordered], 3, 100) for f in (1.0, factor))
    for name in ("bm25_gap2", "bm25_gap5", "bm25_entropy"):
        assert first[name] == pytest.approx(second[name], abs=1e-6)


def test_spread_counts_documents_of_the_best_five() -> None:
    passages = [Passage("x", (Span(name, 0, 1),)) for name in "aabbc"]
    assert coverage(("x",), passages)["spread_documents"] == 3 / 5
    assert coverage((), [])["spread_documents"] == 0


def test_content_terms_meet_across_word_forms() -> None:
    assert set(content_terms("renting fees")) == set(content_terms("The rented fee"))
    assert content_terms("who is it?") != ()


def test_english() -> None:
    assert is_english("What did Société Générale pay?")
    assert not is_english("Was ist die Kündigungsfrist in diesem Vertrag?")
    assert not is_english("Qual é o prazo do contrato?")
    assert not is_english("Quelle est la durée du bail ?")
