"""The budget is never exceeded and nearly used up, with few counts; nothing is lost."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragctx.compressors.fitting import BETWEEN, fit, narrowed
from ragctx.compressors.tokens import Token, tokens_of
from ragctx.models import EstimatedCounter
from ragctx.readers.scripted import Scripted
from ragctx.types import Context, Document, Dropped, Passage, Span

WORDS = Scripted().facts.counter
TEXT = "The rent of Kestrel Wharf is 1,250.75 crowns a month, due on the first day; late rent bears interest.\n"


@dataclass
class Counted:
    """Counts characters over three, like a tokenizer that joins across anything, and how often it is asked."""

    times: int = 0

    def count(self, text):
        self.times += 1
        return -(-len(text) // 3)


def passage(text, name="a", **more):
    return Passage(text, (Span(name, 0, len(text)),), name, **more)


def all_tokens(passages, seed=0):
    found = [token for one in tokens_of(passages, WORDS) for token in one.tokens]
    random.Random(seed).shuffle(found)
    return found


def read(passages, kept, why=lambda number, whole: "over"):
    return narrowed(Context(tuple(passages)), passages, kept, why)


def size(context, counter):
    return counter.count(BETWEEN.join(passage.text for passage in context.passages))


@pytest.mark.parametrize("counter", [WORDS, Counted(), EstimatedCounter()])
@pytest.mark.parametrize("budget", [-1, 0, 1, 2, 7, 50, 200, 333, 1000, 1500, 10**6])
def test_never_above_and_at_least_95_percent(counter, budget):
    passages = [passage(TEXT * 12, "a"), passage("租金" * 300, "b"), passage(TEXT * 9, "c")]
    found = read(passages, fit(passages, all_tokens(passages), counter, budget))
    total = counter.count(BETWEEN.join(one.text for one in passages))
    assert size(found, counter) <= max(0, budget)
    if budget >= 200:
        assert size(found, counter) >= 0.95 * min(budget, total)


def test_counts_are_few_whatever_the_number_of_tokens():
    passages, counter = [passage(TEXT * 300)], Counted()
    fit(passages, all_tokens(passages), counter, 2500)
    assert counter.times <= 32


def test_the_most_wanted_are_kept_and_a_word_that_is_too_long_is_passed_over():
    text = "one extraordinarily two"
    found = fit([passage(text)], [Token(0, 0, 3), Token(0, 3, 19), Token(0, 19, 23)], Counted(), 3)
    assert found == [[(0, 3), (20, 23)]]


def test_forced_tokens_come_first_as_far_as_they_fit():
    tokens = [Token(0, 0, 3), Token(0, 3, 7), Token(0, 7, 13, forced=True)]
    assert fit([passage("one two three")], tokens, WORDS, 1) == [[(8, 13)]]
    forced = [replace(token, forced=True) for token in tokens]
    assert fit([passage("one two three")], forced, WORDS, 2) == [[(0, 7)]]


def test_all_of_it_is_the_passage_itself():
    one = passage(" \nAll of it. \n")
    found = read([one], fit([one], all_tokens([one]), WORDS, 99))
    assert found.passages == (one,)
    assert found.dropped == ()


def test_blank_passages_are_dropped_as_such():
    found = read([passage(" \n", "b"), passage("x", "c")], [[], [(0, 1)]])
    assert [out.reason for out in found.dropped] == ["blank"]


def test_reasons_and_what_was_known():
    before = Context((passage("a b"), passage("c d", "b")), (Dropped(Span("x", 0, 1), "rank 9"),), ("so",), {"gap": 1})
    found = narrowed(
        before, before.passages, [[(2, 3)], []], lambda n, whole: f"{n} {whole}", notes=("and",), signals={"kept": 0.2}
    )
    assert [out.reason for out in found.dropped] == ["rank 9", "0 False", "1 True"]
    assert found.notes == ("so", "and")
    assert found.signals == {"gap": 1, "kept": 0.2}


def test_derived_passages_lose_all_their_spans_or_none():
    spans = (Span("a", 0, 4), Span("b", 0, 4))
    one = Passage("a summary of both", spans, derived=True)
    kept = read([one], fit([one], all_tokens([one]), WORDS, 2))
    assert kept.passages[0].derived
    assert WORDS.count(kept.passages[0].text) == 2
    assert (kept.passages[0].spans, kept.dropped) == (spans, ())
    assert [out.span for out in read([one], fit([one], [], WORDS, 2)).dropped] == list(spans)


@settings(deadline=None, max_examples=150)
@given(
    text=st.text(st.sampled_from("ab1,. \n\t租é\u0301😀\u200d\x00'"), min_size=1, max_size=80),
    cuts=st.lists(st.integers(0, 80), max_size=6),
    budget=st.integers(0, 40),
    seed=st.integers(0, 9),
)
def test_what_is_counted_is_what_is_read_and_nothing_is_lost(text, cuts, budget, seed):
    document = Document("d", text)
    places = sorted({min(cut, len(text)) for cut in [0, *cuts, len(text)]})
    spans = [Span("d", *pair) for pair in zip(places[::2], places[1::2], strict=False)]
    one = Passage.cut(document, spans)
    counter = Counted()
    kept = fit([one], all_tokens([one], seed), counter, budget)
    found = read([one], kept)
    assert size(found, counter) <= budget

    def visible(spans):
        return {at for span in spans for at in range(span.start, span.end) if not text[at].isspace()}

    stays, goes = visible(found.spans), visible(out.span for out in found.dropped)
    assert stays | goes == visible(spans)
    assert not stays & goes
    for part in found.passages:
        assert Passage.cut(document, part.spans).text == part.text
        if kept[0] != [(0, len(one.text))]:
            assert part.text == " ".join(one.text[start:end] for start, end in kept[0])
