from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragctx.evaluation import Overlap, citations, kept_spans, merged
from ragctx.types import Span

spans = st.lists(
    st.builds(lambda d, s, n: Span(d, s, s + n), st.sampled_from("ab"), st.integers(0, 30), st.integers(0, 12)),
    max_size=8,
)


def characters(given: list[Span]) -> set[tuple[str, int]]:
    return {(span.document, position) for span in given for position in range(span.start, span.end)}


@given(spans, spans)
def test_kept_spans_equal_counting_characters_one_by_one(kept: list[Span], gold: list[Span]) -> None:
    ours, wanted = characters(kept), characters(gold)
    found = kept_spans(kept, gold)
    if ours and wanted:
        assert found.precision == pytest.approx(len(ours & wanted) / len(ours))
        assert found.recall == pytest.approx(len(ours & wanted) / len(wanted))
    else:
        assert found == (Overlap(1.0, 1.0) if ours == wanted else Overlap(0.0, 0.0))


@given(spans)
def test_merged_spans_hold_the_same_characters_and_do_not_touch(given: list[Span]) -> None:
    joined = merged(given)
    assert characters(joined) == characters(given)
    assert all(a.document != b.document or a.end < b.start for a, b in pairwise(joined))


@given(spans, spans)
def test_f1_lies_between_precision_and_recall(kept: list[Span], gold: list[Span]) -> None:
    found = kept_spans(kept, gold)
    low, high = sorted((found.precision, found.recall))
    assert low - 1e-9 <= found.f1 <= high + 1e-9


def test_f1_by_hand() -> None:
    assert kept_spans([Span("a", 0, 100)], [Span("a", 90, 140)]) == Overlap(0.1, 0.2)
    assert Overlap(0.1, 0.2).f1 == pytest.approx(0.4 / 3)
    assert Overlap(0.0, 0.0).f1 == 0.0


def test_citations_by_hand() -> None:
    gold = [Span("a", 100, 120), Span("b", 0, 50)]
    cited = [Span("a", 80, 160), Span("a", 115, 300), Span("b", 10, 30)]  # around it, a quarter of it, inside it
    assert citations(cited, gold) == Overlap(2 / 3, 1.0)
    assert citations(cited[:2], gold) == Overlap(0.5, 0.5)
    assert citations(cited, gold, least=0.1) == Overlap(1.0, 1.0)


def test_citations_of_nothing() -> None:
    assert citations([], []) == Overlap(1.0, 1.0)
    assert citations([Span("a", 0, 1)], []) == citations([], [Span("a", 0, 1)]) == Overlap(0.0, 0.0)
    assert citations([Span("a", 5, 5)], [Span("a", 0, 9)]) == Overlap(0.0, 0.0)  # an empty citation points at nothing
    with pytest.raises(ValueError, match="least"):
        citations([], [], least=0)
