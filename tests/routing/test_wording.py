"""How a question is put: what is looked at, what a fitted policy makes of it, and that no name of a thing gets in."""

from __future__ import annotations

import pytest

from ragctx.routing.fitting import Outcome, fit_calibrated, telling
from ragctx.routing.predictors import MEAN, Predictors
from ragctx.routing.wording import SAID, wording


def test_words_of_the_subject_stay_out():
    found = wording("Which tug towed the trawler Hedda Krone (1911) to Port Senna?")
    assert set(found) == {
        "says_which",
        "says_first_which",
        "says_the",
        "says_to",
        "says_name",
        "says_brackets",
        "says_number",
    }
    assert set(found.values()) == {1.0}


@pytest.mark.parametrize("text", ["", "?", "通知期间是多久", "🚢🚢"])
def test_text_without_function_words(text):
    assert not {name for name in wording(text) if name.startswith(f"{SAID}first")}


def test_a_word_that_is_not_said_counts_as_not_said():
    made = Predictors(
        ("says_why", "words"), (0.3, 8.0), (0.5, 4.0), ("a",), (0.0,), ((0.0, 0.0),), {MEAN: {"full": (0.5,)}}
    )
    assert made.standardised({}) == pytest.approx((-0.6, 0.0))  # the word is unsaid, the length is not known
    assert made.standardised({"says_why": 1.0}) == pytest.approx((1.4, 0.0))


def rows(count=120):
    """Only the wording tells the kinds apart; reading everything pays for one of them."""
    for at in range(count):
        why = at % 2
        text = f"Why did berth {at} fall?" if why else f"Who has berth {at} now?"
        scores = {"full": 0.9, "retrieve": 0.2} if why else {"full": 0.3, "retrieve": 0.8}
        yield Outcome(f"q{at}", "any", "m", wording(text), scores, group=f"d{at % 12}")


def test_what_is_said_is_learnt_from():
    pytest.importorskip("sklearn")
    known = list(rows())
    names = telling(known)
    assert "says_why" in names
    assert "says_number" not in names  # all say it
    fitted = fit_calibrated(known, names)
    why, who = (fitted.scores(wording(text), "m") for text in ("Why did the crane fall?", "Who has the crane now?"))
    assert why["full"] > 0.8 > 0.4 > why["retrieve"]
    assert who["retrieve"] > 0.7 > 0.4 > who["full"]


def test_few_questions_teach_no_words():
    assert telling(list(rows(8))) == ()
