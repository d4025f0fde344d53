"""From stretches to one answer: borders, support, sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragctx.strategies.pointing import answers, likeliest_sentence, normal, pointed, shown, trimmed
from ragctx.types import Passage
from ragctx.work import Relevances, Stretch

TEXT = "The notice period is three months. Pets are fine."
SENTENCES = ((0, 34), (35, 49))


def passages(*texts: str) -> list[Passage]:
    return [Passage(text, ()) for text in texts]


def said(*stretches: tuple[int, int, float]) -> Relevances:
    return Relevances((0.9,), answers=(tuple(Stretch(*one) for one in stretches),))


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        (" three months. ", "three months"), ("(1990)", "1990"), ("(1990", "1990"), ("1990),", "1990"),
        ("\u201cThe Gate\u201d", "The Gate"), ("f(x)", "f(x)"), ("the U.S.", "the U.S."), ("at 5 p.m.", "at 5 p.m."),
        ("Moss & Co.", "Moss & Co"), ("-5 \u00b0C", "-5 \u00b0C"), (".5 mm", ".5 mm"), ("- rent", "rent"), ("...", ""),
        ("'tis", "tis"), ("three months'", "three months"), ("\u4e09\u4e2a\u6708\u3002", "\u4e09\u4e2a\u6708"),
        ('"Moss" and "Fern"', '"Moss" and "Fern"'), ("(a) and (b)", "(a) and (b)"), ("", ""),
    ],
)  # fmt: skip
def test_marks_around_an_answer_go(text: str, inner: str) -> None:
    start, end = trimmed(text, 0, len(text))
    assert text[start:end] == inner


@given(st.text(alphabet=" .,()[]\"'-ab1\u3002\u201c\u201d\n", max_size=30), st.integers(0, 30), st.integers(0, 30))
def test_a_trimmed_range_lies_within_and_stays(text: str, one: int, other: int) -> None:
    start, end = sorted((min(one, len(text)), min(other, len(text))))
    first, last = trimmed(text, start, end)
    assert start <= first <= last <= end
    assert trimmed(text, first, last) == (first, last)
    assert not text[first:last] or text[first:last] == text[first:last].strip()


def test_passages_that_say_the_same_add_up() -> None:
    texts = passages(TEXT, "Notice: The three months.", "It is six months.")
    reply = Relevances(
        (0.9, 0.9, 0.9),
        answers=((Stretch(21, 33, 0.4),), (Stretch(8, 24, 0.5),), (Stretch(6, 16, 0.6),)),
    )
    units = (SENTENCES, ((0, 25),), ((0, 17),))
    first, second = answers(pointed(texts, units, reply), texts)
    assert first.text == "The three months", "as the likeliest place words it"
    assert first.probability == pytest.approx(1 - 0.6 * 0.5)
    assert [place.passage for place in first.places] == [1, 0]
    assert second.text == "six months"
    assert second.probability == pytest.approx(0.6)


def test_one_sentence_in_two_documents_is_one_witness() -> None:
    texts = passages(TEXT, TEXT)
    reply = Relevances((0.9, 0.9), answers=((Stretch(21, 33, 0.4),), (Stretch(21, 33, 0.3),)))
    [one] = answers(pointed(texts, (SENTENCES, SENTENCES), reply), texts)
    assert one.probability == pytest.approx(0.4)
    assert len(one.places) == 2


def test_what_is_pointed_out_is_put_inside_the_text_and_nothing_is_not_an_answer() -> None:
    reply = said((-3, 3, 0.5), (40, 400, 0.4), (33, 35, 0.9), (10, 10, 0.9))
    found = pointed(passages(TEXT), (SENTENCES,), reply)
    assert [(place.text, place.sentence) for place in found] == [("The", SENTENCES[0]), ("are fine", SENTENCES[1])]
    assert all(TEXT[place.start : place.end] == place.text for place in found)


def test_what_goes_on_and_on_is_no_answer() -> None:
    text = "word " * 300
    assert not pointed(passages(text), (((0, 1499),),), said((0, 1499, 0.9)))


def test_an_answer_over_two_sentences_has_both() -> None:
    [place] = pointed(passages(TEXT), (SENTENCES,), said((21, 39, 0.5)))
    assert place.sentence == (0, 49)


def test_without_units_the_answer_is_its_own_sentence() -> None:
    [place] = pointed(passages(TEXT), ((),), said((21, 33, 0.5)))
    assert place.sentence == (21, 33)
    assert likeliest_sentence(passages(TEXT), ((),), said((21, 33, 0.5))) is None


def test_an_endless_sentence_is_cut_around_the_answer() -> None:
    text = "word " * 5000 + "the key is here " + "word " * 5000
    at = text.index("the key")
    first, last = shown(text, (0, len(text)), at, at + 11)
    assert first <= at
    assert at + 11 <= last <= first + 620
    assert text[first - 1] == " "
    assert text[last] == " "
    block = "x" * 5000
    first, last = shown(block, (0, 5000), 2000, 2010)
    assert first <= 2000
    assert last >= 2010
    assert last - first <= 620


def test_figures_keep_what_tells_them_apart() -> None:
    assert normal("1,200 euros") == normal("1200 Euros")
    assert normal("-5") != normal("5")
    assert normal("3.5") != normal("35")
    assert normal("5 %") != normal("5")
    assert normal("???") == "???"


def test_the_likeliest_sentence_is_one_of_all_passages() -> None:
    reply = Relevances((0.5, 0.5), keeps=((0.1, 0.6), (0.7,)))
    place = likeliest_sentence(passages(TEXT, "Rent is due."), (SENTENCES, ((0, 12),)), reply)
    assert place is not None
    assert (place.text, place.probability, place.passage) == ("Rent is due.", 0.7, 1)
    reply = Relevances((0.5, 0.5), keeps=((0.1, 0.6), (0.6,)))
    place = likeliest_sentence(passages(TEXT, "Rent is due."), (SENTENCES, ((0, 12),)), reply)
    assert place is not None
    assert place.text == "Pets are fine.", "of equals the first"
