from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragctx.errors import ConfigError
from ragctx.integrations.narrowing import Narrow
from ragctx.models import ModelFacts, Models
from ragctx.types import Context, Document, Passage, Question, Span
from ragctx.work import run

MODELS = Models({"reader": ModelFacts("m")})
COUNT = MODELS.reader.counter.count
LEASE = " ".join(
    [
        "The roof is kept in repair by the landlord.",
        "The rent is ten crowns a month.",
        "Dogs are welcome in the yard.",
        "Windows are washed in spring.",
        "Rent that is late bears interest.",
    ]
)
NOTICE = "通知期为三个月。租金每月支付。"
YARD = "The yard holds eleven flats. Lorries come before eight. Music is not allowed."


def whole(*texts: str) -> Context:
    return Context(tuple(Passage(text, (Span(f"d{n}", 0, len(text)),), f"d{n}.txt") for n, text in enumerate(texts)))


def narrowed(question: str, context: Context, budget: int, words: int = 10) -> Context:
    return run(Narrow(words=words).compress(Question(question), context, budget, MODELS))


def test_what_fits_is_returned_as_it_is() -> None:
    context = whole(LEASE, YARD)
    assert narrowed("What is the rent?", context, 500) is context


def test_the_pieces_about_the_question_are_kept_in_the_order_given() -> None:
    found = narrowed("When is rent late, and what is the rent a month?", whole(YARD, LEASE), 25)
    [passage] = found.passages
    assert passage.text == "The rent is ten crowns a month. Rent that is late bears interest."
    assert passage.source == "d1.txt"
    assert [LEASE[span.start : span.end] for span in passage.spans] == [
        "The rent is ten crowns a month.",
        "Rent that is late bears interest.",
    ]
    assert any(dropped.span.document == "d0" for dropped in found.dropped)


def test_without_a_shared_word_the_front_is_kept_and_a_note_says_why() -> None:
    found = narrowed("Zeppelin?", whole(LEASE, YARD), 15)
    assert found.passages[0].text == "The roof is kept in repair by the landlord."
    assert found.notes


def test_a_passage_of_two_spans_is_cut_at_their_places() -> None:
    document = Document("d", LEASE)
    cut = Passage.cut(document, [Span("d", 0, 43), Span("d", 76, 105)])
    found = narrowed("Are dogs welcome?", Context((cut,)), 10)
    [passage] = found.passages
    [span] = passage.spans
    assert LEASE[span.start : span.end] == passage.text == "Dogs are welcome in the yard."


def test_a_budget_for_nothing_keeps_nothing_and_blank_texts_do_no_harm() -> None:
    assert narrowed("rent?", whole(LEASE), 1).passages == ()
    assert [passage.source for passage in narrowed("rent?", whole(" ", LEASE, "\n"), 10).passages] == ["d1.txt"]
    assert narrowed("rent?", whole(" " * 400), 10).passages == ()


def test_derived_text_is_refused() -> None:
    summary = Context((Passage(LEASE, (Span("d", 0, 9),), derived=True),))
    with pytest.raises(ConfigError, match="verbatim"):
        narrowed("rent?", summary, 5)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from([LEASE, YARD, NOTICE, "One. Two. Rent."]), min_size=1, max_size=4),
    st.integers(1, 60),
)
def test_never_over_budget_and_every_span_reads_as_its_document(texts: list[str], budget: int) -> None:
    found = narrowed("What is the rent? 租金", whole(*texts), budget)
    assert sum(COUNT(passage.text) for passage in found.passages) <= budget
    for passage in found.passages:
        assert Passage.cut(Document(passage.spans[0].document, texts[int(passage.spans[0].document[1:])]), passage.spans
                           ).text == passage.text  # fmt: skip
