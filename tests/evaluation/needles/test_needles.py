from __future__ import annotations

import re

import pytest

from ragctx.errors import ConfigError, UnknownName
from ragctx.evaluation.measures import metric
from ragctx.evaluation.needles import (
    NEEDLES,
    Hay,
    best_answer,
    generated,
    multi_key,
    multi_value,
    single,
    sort_segments,
    threads,
    tracing,
)
from ragctx.types import Answer


def quoted(found) -> list[str]:
    return [found.documents[0].text[span.start : span.end] for span in found.gold]


@pytest.mark.parametrize("kind", sorted(NEEDLES))
def test_the_same_seed_gives_the_same_text_and_another_another(kind: str) -> None:
    make = NEEDLES[kind]
    assert make(Hay(300, 5)) == make(Hay(300, 5))
    assert make(Hay(300, 5)).documents[0].text != make(Hay(300, 6)).documents[0].text


@pytest.mark.parametrize("kind", sorted(NEEDLES))
@pytest.mark.parametrize("words", [1, 40, 900])
def test_the_right_answer_is_right_by_its_own_measure(kind: str, words: int) -> None:
    found = NEEDLES[kind](Hay(words, 3))
    judge = metric(found.metric)
    assert judge.of(Answer(" ".join(found.question.answers)), found.question) == 1.0
    assert judge.of(Answer("I read it all and cannot say"), found.question) == 0.0
    assert words <= len(found.documents[0].text.split()) <= words + 250


def test_single_stands_where_it_is_put() -> None:
    for depth in (0.0, 1.0):
        found = single(Hay(200, 1), depth)
        [needle] = quoted(found)
        assert re.fullmatch(r"The registry number of the \w+ \w+ is \d{7}\.", needle)
        text = found.documents[0].text.strip()
        assert text.startswith(needle) if depth == 0 else text.endswith(needle)
    with pytest.raises(ValueError, match="outside the text"):
        single(Hay(200), 1.5)


def test_many_keys_and_many_values() -> None:
    found = multi_key(Hay(300, 2), keys=120)
    assert found.documents[0].text.count("The registry number of") == 120
    [needle] = quoted(found)
    assert found.question.answers[0] in needle
    found = multi_value(Hay(300, 2), values=3)
    assert all(answer in needle for answer, needle in zip(found.question.answers, quoted(found), strict=True))
    assert len(set(found.question.answers)) == 3


def test_a_chain_can_be_traced() -> None:
    found = tracing(Hay(400, 4), chains=3, hops=4)
    said = quoted(found)
    coin = re.search(r"coin number (\d+)", found.question.text).group(1)
    held, boxes = f"coin number {coin}", []
    for sentence in said:
        box = re.fullmatch(rf"Box (\w+) holds {re.escape(held)}\.", sentence).group(1)
        boxes.append(box)
        held = f"whatever box {box} holds"
    assert tuple(boxes) == found.question.answers
    assert [span.start for span in found.gold] == sorted(span.start for span in found.gold)


@pytest.mark.parametrize("forward", [True, False])
def test_a_thread_can_be_followed(forward: bool) -> None:
    found = threads(Hay(400, 4), hops=5, others=3, forward=forward)
    notes = dict(re.findall(r"Note (\w+) (?:leads on to note|ends with the word) (\w+)\.", found.documents[0].text))
    at, steps = re.search(r"Begin at note (\w+)", found.question.text).group(1), 0
    while at in notes:
        at, steps = notes[at], steps + 1
    assert (at,) == found.question.answers
    assert steps == 6
    if forward:
        assert [span.start for span in found.gold] == sorted(span.start for span in found.gold)


def test_segments_have_one_right_order() -> None:
    found = sort_segments(Hay(300, 9), 4)
    days = {int(n): int(day) for n, day in re.findall(r"\[Segment (\d)\] Day (\d+)", found.documents[0].text)}
    right = " ".join(str(n) for n in sorted(days, key=lambda n: days[n]))
    assert found.question.answers == (right,)
    assert sorted(days.values()) == list(range(min(days.values()), min(days.values()) + 4))


def test_the_best_answer_is_about_what_is_asked() -> None:
    found = best_answer(Hay(300, 9), 8)
    subject = re.search(r"reach (the \w+ of \w+)\?", found.question.text).group(1)
    [needle] = quoted(found)
    assert needle.startswith(f"[{found.question.answers[0]}] To reach {subject},")
    assert found.documents[0].text.count(f"To reach {subject},") == 1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Hay(0),
        lambda: multi_key(Hay(9), 0),
        lambda: multi_value(Hay(9), 0),
        lambda: tracing(Hay(9), chains=0),
        lambda: threads(Hay(9), hops=-1),
        lambda: sort_segments(Hay(9), 1),
        lambda: best_answer(Hay(9), 1000),
    ],
)
def test_nothing_to_ask_for_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match="give"):
        wrong()


def test_sets_by_name() -> None:
    assert len(list(generated("tracing:100:3"))) == 3
    with pytest.raises(UnknownName, match="multi-key"):
        generated("multikey:100:3")
    with pytest.raises(ConfigError, match="needles:single:2000:10"):
        generated("single:many")
