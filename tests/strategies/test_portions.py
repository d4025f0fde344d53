"""Portions hold all of a view, verbatim, in order, and never more than their room."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragctx.corpus import Corpus
from ragctx.errors import LimitError
from ragctx.models import EstimatedCounter
from ragctx.strategies.portions import cuts, portion_count, portions
from ragctx.types import Document, Passage, Where

PIECES = r"[^\W\d_]{1,6}|\d{1,3}|[^\w\s]|_"


def block(number: int, passage: Passage) -> str:
    return f"### 1a2b [{number}] {passage.source}\n{passage.text}"


def lease(clauses: int) -> str:
    return "\n\n".join(f"Clause {n} is about matter {n * 7 % 13}. It was agreed in {1960 + n}." for n in range(clauses))


def whole(view: Corpus, cut) -> None:
    """All visible text is in some passage, in order, each as it stands in its document."""
    passages = [passage for portion in cut for passage in portion]
    for passage in passages:
        assert not passage.derived
        assert passage.text == "".join(view.text(span) for span in passage.spans)
    places = {document.id: at for at, document in enumerate(view.documents)}
    spans = [(places[p.spans[0].document], p.spans[0].start, p.spans[-1].end) for p in passages]
    assert spans == sorted(spans)
    read = "".join("".join(passage.text.split()) for passage in passages)
    assert read == "".join("".join(str(document.text[:]).split()) for document in view.documents)


@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize("room", [40, 100, 333, 5_000])
def test_everything_is_read_once_and_fits(room: int, joined: bool, exact) -> None:
    view, counter = (
        Corpus.of({"lease": lease(80), "rules": "Pets are welcome.", "note": "Keys are two."}),
        exact(PIECES),
    )
    cut = portions(view, room, counter, block, joined=joined)
    whole(view, cut)
    number = 1
    for portion in cut:
        assert counter.count("\n".join(block(n, p) for n, p in enumerate(portion, number))) <= room
        number += len(portion)
    assert [one.tokens for one in cuts(view, room, counter, block, joined=joined)] == [
        counter.count("\n".join(block(n, p) for n, p in enumerate(portion, 1))) for portion in cut
    ] or number > 10
    assert len(cut) == portion_count(view, room, counter, block, joined=joined)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(
        st.text(st.sampled_from("ab. \n通知。期!1é🙂-"), min_size=1, max_size=400).filter(str.strip),
        min_size=1,
        max_size=4,
    ),
    room=st.integers(30, 90),
    joined=st.booleans(),
)
def test_any_text(texts: list[str], room: int, joined: bool, exact) -> None:
    view, counter = Corpus.of(*texts), exact(PIECES)
    cut = portions(view, room, counter, block, joined=joined)
    whole(view, cut)
    number = 1
    for portion in cut:
        assert counter.count("\n".join(block(n, p) for n, p in enumerate(portion, number))) <= room
        number += len(portion)


def test_portions_end_with_sentences_and_are_full(exact) -> None:
    cut = portions(Corpus.of({"lease": lease(80)}), 200, exact(PIECES), block)
    assert all(portion[-1].text.endswith(".") for portion in cut)
    assert all(exact(PIECES).count(block(1, portion[0])) > 170 for portion in cut[:-1])


def test_joined_is_one_passage_a_document_and_chunks_are_many(exact) -> None:
    view = Corpus.of({"lease": lease(80)})
    [joined] = portions(view, 10_000, exact(PIECES), block)
    [chunks] = portions(view, 10_000, exact(PIECES), block, joined=False)
    assert len(joined) == 1
    assert len(chunks) == len(view.chunks)


def test_tiny_documents_share_portions(exact) -> None:
    cut = portions(Corpus.of(*[f"Note {n}." for n in range(500)]), 400, exact(PIECES), block)
    assert len(cut) < 25


@pytest.mark.parametrize("text", ["word " * 2_000, "x" * 5_000, "通知期间" * 800], ids=["words", "one word", "chinese"])
def test_a_sentence_over_the_room_is_cut(text: str, exact) -> None:
    view = Corpus.of(text)
    cut = portions(view, 100, exact(PIECES), block)
    whole(view, cut)
    if " " in text:
        assert all(portion[0].text.endswith("word") for portion in cut)


def test_chosen_spans_are_read_in_their_order(exact) -> None:
    view = Corpus.of({"lease": lease(80)})
    chosen = [view.chunks[4], view.chunks[1]]
    [portion] = portions(view, 5_000, exact(PIECES), block, spans=chosen)
    assert [passage.spans[0] for passage in portion] == chosen


def test_a_filter_is_obeyed_and_pages_are_kept(exact) -> None:
    corpus = Corpus.over(Document("a.pdf", "First page.\n\nSecond page.", pages=(0, 13)), Document("b", "Other."))
    cut = portions(corpus.select(Where(pages=(2, 2))), 100, exact(PIECES), block)
    assert [(p.text, p.page) for portion in cut for p in portion] == [("Second page.", 2)]


def test_no_room_for_anything_is_refused() -> None:
    with pytest.raises(LimitError, match="no more than a heading"):
        portions(Corpus.of(lease(3)), 5, EstimatedCounter(), block)


def test_a_large_view_is_reckoned(exact, monkeypatch: pytest.MonkeyPatch) -> None:
    view, counter = Corpus.of({"lease": lease(300)}), exact(PIECES)
    counted = portion_count(view, 500, counter, block)
    monkeypatch.setattr("ragctx.strategies.portions.COUNTED", 10)
    assert abs(portion_count(view, 500, counter, block) - counted) <= 0.25 * counted
