"""Haystacks of the attention benchmark, and what is made of the answers."""

from __future__ import annotations

import doctest
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT)]

import attention_needles as needles  # noqa: E402


def words(text):
    return len(text.split())


def test_a_haystack_is_its_seeds_and_as_long_as_asked():
    one, same, other = (needles.haystack(words, 1500, seed) for seed in (1, 1, 2))
    assert one == same
    assert one.text != other.text
    assert 1470 <= words(one.text) <= 1500


@pytest.mark.parametrize("seed", range(5))
def test_what_is_asked_stands_in_the_text_once(seed):
    made = needles.haystack(words, 1200, seed)
    assert {asked.kind for asked in made.asked} == set(needles.KINDS)
    for asked in made.of("eight-key"):
        name = asked.question.split(" of ")[1].split("?")[0]
        assert made.text.count(f"The access code of {name} is {asked.answers[0]}.") == 1
        assert len(asked.others) == 7
    for asked in made.of("multi-value"):
        town = asked.question.split("over ")[1].split(".")[0]
        assert all(f"One of the flags over {town} is {colour}." in made.text for colour in asked.answers)
    for asked in made.of("tracing"):
        name = asked.question.split("neighbour of ")[1].split(",")[0]
        neighbour = made.text.split(f"The neighbour of {name} is ")[1].split(".")[0]
        assert f"The pet of {neighbour} is a {asked.answers[0]}." in made.text
        assert f"The pet of {name}" not in made.text  # one step does not lead there
        assert f"The access code of {neighbour}" not in made.text


def test_examples_in_docstrings_are_right():
    assert doctest.testmod(needles) == doctest.TestResults(0, 3)


def test_needles_are_spread_over_the_text():
    made = needles.haystack(words, 4000, seed=3)
    places = [made.text.index(f"is {asked.answers[0]}.") / len(made.text) for asked in made.of("eight-key")]
    assert min(places) < 0.5 < max(places)


def test_a_question_stands_before_the_text_or_behind_it():
    made = needles.haystack(words, 600, seed=1)
    for kind, before in (("eight-key", False), ("question-first", True)):
        [(asked, said)] = made.prompts([kind], 1)
        assert (said.index(asked.question) < said.index(made.text)) is before
    first, second = (said for _, said in made.prompts(["eight-key", "tracing"], 1))
    assert first[: first.index(made.text) + len(made.text)] == second[: second.index(made.text) + len(made.text)]


def test_answers_are_scored_as_whole_words():
    code = needles.Asked("eight-key", "?", ("12345",), ("54321",))
    assert [code.score(text) for text in ("12345.", "It is 123456", "", "12345 or 54321")] == [1, 0, 0, 0]
    flags = needles.Asked("multi-value", "?", ("black", "pink", "brown"))
    assert flags.score("Black, brown and blackish") == pytest.approx(2 / 3)


def test_singles_are_five_in_order_of_depth():
    made = needles.singles(words, 1000, seed=4)
    assert len(made.asked) == 5
    places = [made.text.index(asked.answers[0]) / len(made.text) for asked in made.asked]
    assert places == sorted(places)
    assert places[0] < 0.25
    assert places[-1] > 0.75
    assert words(made.text) <= 1000
