"""What small models reply is read leniently, and never read as more than it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from ragctx.prompts.replies import json_value, lines, nothing, numbers, renumbered


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1. One\n2) Two\n(3) Three", ("One", "Two", "Three")),
        ("* One\n• Two\n– Three\n-Four", ("One", "Two", "Three", "Four")),
        ("Step 1: Look.\nQuestion 2: Who?", ("Look.", "Who?")),
        ("3.5 per cent\n1998 was dry", ("3.5 per cent", "1998 was dry")),
        ("```json\nx\n```", ("x",)),
        ("\n-\n**\n", ()),
        ("A flat.\nI agree.", ("A flat.", "I agree.")),
    ],
)
def test_lines(text: str, found: tuple[str, ...]) -> None:
    assert lines(text) == found


@pytest.mark.parametrize(
    "text", ["nothing new", "Nothing new.", "- None.", "NONE", "", " \n", "**nothing**", "N/A", "No new information.",
             "There is nothing new in these texts.", "Not in the documents.", "没有新的信息。"],
)  # fmt: skip
def test_nothing(text: str) -> None:
    assert nothing(text)


@pytest.mark.parametrize(
    "text",
    ["None of the tenants paid.", "Nothing was paid in May [3].", "No dogs.", "nothing new\n- but this [2]", "0"],
)
def test_something(text: str) -> None:
    assert not nothing(text)


def test_numbers_of_marks() -> None:
    assert numbers("x [3] y [1, 2] z [2-4] [#7] (5) 【8】") == [3, 1, 2, 4, 7, 8]
    assert len(numbers("[1-900]")) <= 21


def test_renumbering_leaves_what_has_no_number() -> None:
    assert renumbered("a [10, 12] b [99] c [2-3]", {10: 1, 12: 2, 2: 5, 3: 6}) == "a [1, 2] b [99] c [5, 6]"


@pytest.mark.parametrize("text", ["[1, 2]", "Sure!\n```json\n[1, 2]\n```\nDone.", "it is [1, 2]."])
def test_json_among_words(text: str) -> None:
    assert json_value(text, TypeAdapter(list[int])) == ([1, 2], "")


@pytest.mark.parametrize(
    ("text", "problem"), [("no", "no JSON"), ("[1,", "no JSON"), ('["x"]', "0: "), ("[" * 5_000, "no")]
)
def test_json_problems_are_told(text: str, problem: str) -> None:
    value, said = json_value(text, TypeAdapter(list[int]))
    assert value is None
    assert problem in said


@given(st.text(max_size=300))
def test_anything_is_read(text: str) -> None:
    assert all(line.strip() for line in lines(text))
    numbers(text)
    nothing(text)
    assert renumbered(text, {}) == text
    json_value(text, TypeAdapter(list[int]))
