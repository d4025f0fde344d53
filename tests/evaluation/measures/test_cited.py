from __future__ import annotations

import pytest

from ragctx.evaluation import Overlap
from ragctx.evaluation.measures.cited import Statement, l_cite_eval, longbench_cite, worded

PASSAGES = ["Rent is 900 crowns.", "Pets may stay upstairs.", "Keys are two.", "Cats are pets."]


def entails(premise: str, claim: str) -> bool:
    """Every word of the claim stands in the premise."""
    return all(word in premise for word in claim.split())


def test_by_hand() -> None:
    said = [
        Statement("Rent 900", (0, 1)),  # supported; passage 1 is not needed
        Statement("900 upstairs", (0, 1)),  # supported by both together: each is needed
        Statement("Keys three", (2,)),  # not supported: its citation is wrong
        Statement("Keys two"),  # cites nothing
    ]
    assert l_cite_eval(said, PASSAGES, entails) == Overlap(precision=3 / 5, recall=2 / 4)


def test_passages_that_are_not_there_and_a_fourth_citation() -> None:
    assert l_cite_eval([Statement("Rent", (0, 9))], PASSAGES, entails) == Overlap(0.0, 0.0)
    # only three are looked at, and the sentence follows from the first
    assert l_cite_eval([Statement("Rent", (0, 1, 2, 9))], PASSAGES, entails) == Overlap(1 / 3, 1.0)
    assert l_cite_eval([], PASSAGES, entails) == Overlap(0.0, 0.0)


def test_longbench_cite_by_hand() -> None:
    grades = {"Rent": 1.0, "Pets": 0.5, "Keys": 0.0}
    said = [
        Statement("Rent", (0, 1)),
        Statement("Pets", (1,)),
        Statement("Keys", (2, 9)),
        Statement("Hello", needs=False),
        Statement("Bare"),
    ]
    found = longbench_cite(
        said, PASSAGES, lambda premise, claim: grades[claim], lambda premise, claim: claim in premise
    )
    # recall (1 + .5 + 0 + 1 + 0) / 5; precision: 0, 1 and 2 are right, 1 for "Rent" and 9 are not
    assert found == Overlap(precision=3 / 5, recall=0.5)


def test_a_judge_that_grades_otherwise_is_refused() -> None:
    with pytest.raises(ValueError, match=r"1, 0\.5 or 0"):
        longbench_cite([Statement("Rent", (0,))], PASSAGES, lambda premise, claim: 0.7, entails)


def test_judging_by_words() -> None:
    assert worded(1.0)("Rent is 900 crowns.", "900 crowns") is True
    assert worded(0.6)("Rent is 900 crowns.", "800 crowns") is False
    assert worded()("anything", "") is False
