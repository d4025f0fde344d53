"""What kind of question it is: measured on sixty questions over three documents, and held to rules on any text."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragctx.corpus import Corpus
from ragctx.models import Models
from ragctx.questions import Questions
from ragctx.routing import Policy, signals
from ragctx.routing.kinds import cues, forms, kinds
from ragctx.routing.names import FORMS, KINDS, UNANSWERABLE
from ragctx.routing.why import likeliest

POLICY = Policy.load()


def test_sixty_questions_of_six_kinds(corpus: Corpus, models: Models, data: Path) -> None:
    """59 of 60 when the cues were written, on questions that were looked at while writing them."""
    asked = Questions.read(data / "questions.jsonl")
    right = Counter(q.kind for q in asked if likeliest(signals(q, corpus, models)) == q.kind)
    assert sum(right.values()) >= 57, right
    assert min(right[kind] for kind in KINDS if kind != "reasoning") >= 8, right


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Why was the bridge closed?", "reasoning"),
        ("Did the mayor sign the charter?", "single_fact"),
        ("Notice period?", "single_fact"),
        ("What did the council decide, and when does the rule apply?", "multi_part"),
        ("HOW DO THE TWO BRIDGES\n DIFFER?", "comparison"),
        ("How many bridges cross the river?", "aggregation"),
        ("Summarize chapter two.", "summary"),
    ],
)
def test_forms(text: str, kind: str) -> None:
    likely = forms(text, POLICY)
    assert max(likely, key=likely.__getitem__) == kind


@pytest.mark.parametrize(
    "text",
    [
        "Wie lange dauert der Vertrag?",
        "¿Cuál es el plazo?",
        "通知期间是多久？",
        "Сколько стоит аренда?",
        "契約期間は？",
    ],
)
def test_other_languages_are_left_flat(text: str) -> None:
    assert set(forms(text, POLICY).values()) == {1 / len(FORMS)}


def test_missing_answers_take_from_local_kinds_most() -> None:
    nothing = {"bm25_top1": 0.0, "coverage_top1": 0.0, "coverage_top5": 0.0}
    fact, summary = (kinds(text, POLICY, nothing) for text in ("When was it built?", "Summarise the report."))
    assert fact[UNANSWERABLE] > 0.7
    assert summary[UNANSWERABLE] < fact[UNANSWERABLE] / 3
    assert kinds("When was it built?", POLICY, {})[UNANSWERABLE] == 0.0


@given(st.text(min_size=1, max_size=300), st.floats(0, 1), st.floats(0, 1))
def test_probabilities_are_probabilities(text: str, one: float, five: float) -> None:
    found = kinds(text, POLICY, {"bm25_top1": 0.2, "coverage_top1": one, "coverage_top5": five})
    assert tuple(found) == KINDS
    assert sum(found.values()) == pytest.approx(1)
    assert all(0 <= share <= 1 for share in found.values())


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_coverage_never_looks_less_answerable(a: float, b: float) -> None:
    low, high = (
        kinds("When was it built?", POLICY, {"bm25_top1": 0.2, "coverage_top1": c, "coverage_top5": c})
        for c in sorted((a, b))
    )
    assert high[UNANSWERABLE] <= low[UNANSWERABLE] + 1e-12


def test_every_cue_name_is_counted() -> None:
    assert set(cues("", POLICY)) == {cue.name for cue in POLICY.cues}
    assert cues("Is A longer than B, or how many more?", POLICY)["comparison"] >= 1
