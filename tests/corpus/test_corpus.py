from __future__ import annotations

import numpy as np
import pytest

from ragctx.corpus import Chunking, Corpus, Progress
from ragctx.errors import InputError, UnknownName
from ragctx.models import EstimatedCounter, ModelFacts
from ragctx.types import Document, Span, Where

LEASE = "Rent is due on the first. Pets are fine. Keys are two."


@pytest.fixture
def corpus():
    paged = Document("paged", "First page. Second page. Third page.", pages=(0, 12, 25), metadata={"year": 2020})
    return Corpus.of(LEASE, {"Notes": "Dr. Wu agreed. He left."}, paged, chunking=Chunking(words=4))


class Counter:
    """Counts words, and how often it was asked."""

    name, exact = "words", True

    def __init__(self):
        self.calls = 0

    def count(self, text):
        self.calls += 1
        return len(text.split())

    def render(self, messages):
        return sum(self.count(message.content) for message in messages)


def test_texts_become_documents(corpus, checked):
    checked(corpus)
    assert [(d.id, d.title) for d in corpus.documents] == [("text-1", ""), ("Notes", "Notes"), ("paged", "")]
    assert str(corpus.document("text-1").text) == LEASE
    assert corpus.characters == sum(len(document.text) for document in corpus)
    assert len(corpus) == len(corpus.documents[0:3]) == 3
    with pytest.raises(UnknownName, match="did you mean 'text-1'"):
        corpus.document("text1")


def test_chunks_are_a_table_and_a_sequence(corpus):
    chunks = corpus.chunks
    assert (chunks.document_index.dtype, chunks.start.dtype, chunks.end.dtype) == (np.int32, np.int64, np.int64)
    assert isinstance(chunks.start, np.memmap)
    assert chunks[-1] == chunks[len(chunks) - 1] == chunks[len(chunks) - 1 :][0]
    assert [span.document for span in chunks] == [corpus.documents[i].id for i in chunks.document_index]
    assert chunks.text(0) == "Rent is due on"


def test_text_passage_and_sentences(corpus):
    whole = Span("Notes", 0, 23)
    sentences = corpus.sentences(whole)
    assert [corpus.text(span) for span in sentences] == ["Dr. Wu agreed.", "He left."]
    assert corpus.sentences(Span("text-1", 25, 41)) == [Span("text-1", 26, 40)]
    passage = corpus.passage(Span("text-1", 41, 54), Span("text-1", 0, 25), score=0.5)
    assert (passage.text, passage.score) == ("Rent is due on the first. Keys are two.", 0.5)
    for wrong in ((), (Span("Notes", 0, 1), Span("text-1", 0, 1))):
        with pytest.raises(InputError):
            corpus.passage(*wrong)


def test_everything_and_coverage(corpus):
    context = corpus.everything()
    assert [passage.text for passage in context.passages] == [str(document.text) for document in corpus.documents]
    assert all(cover.share == 1.0 for cover in corpus.coverage(context.spans))
    some = corpus.coverage([Span("text-1", 0, 10), Span("text-1", 5, 20), Span("elsewhere", 0, 5)])
    assert [(cover.document, cover.read) for cover in some] == [("text-1", 20), ("Notes", 0), ("paged", 0)]


def test_tokens_are_counted_once_and_kept(corpus):
    counter = Counter()
    facts = ModelFacts("m", counter=counter)
    assert corpus.tokens(facts) == len(
        (LEASE + " Dr. Wu agreed. He left. First page. Second page. Third page.").split()
    )
    asked = counter.calls
    again = Corpus.over(folder=corpus.folder)
    assert again.tokens(facts) == corpus.tokens(facts)
    assert counter.calls == asked
    assert corpus.tokens(ModelFacts("other")) > 0


def test_a_long_document_is_counted_in_pieces():
    asked = []

    class Long(Counter):
        def count(self, text):
            asked.append(len(text))
            return super().count(text)

    text = "word " * 500_000
    assert Corpus.of(text).tokens(ModelFacts("m", counter=Long())) == 500_000
    assert max(asked) <= 1_000_000
    assert sum(asked) == len(text)
    estimate = EstimatedCounter().count("x" * 2_500_000)
    assert abs(Corpus.of("x" * 2_500_000).tokens(ModelFacts("m")) - estimate) <= 3


def test_filters_by_name_and_metadata(corpus):
    view = corpus.select(Where(documents=("text-*", "Notes")))
    assert [document.id for document in view.documents] == ["text-1", "Notes"]
    assert view.characters == len(LEASE) + 23
    assert view.base is corpus
    assert [view.chunks.text(i) for i in range(len(view.chunks))] == [corpus.chunks.text(i) for i in view.rows]
    assert view.manifest != corpus.manifest == corpus.select(None).manifest
    assert list(view.mask(Where(documents=("Notes",)))) == [span.document == "Notes" for span in view.chunks]
    assert list(corpus.mask(Where(metadata={"year": 2020}))) == [span.document == "paged" for span in corpus.chunks]
    assert corpus.mask(None).all()
    narrower = view.select(Where(documents=("*-1",)))
    assert [document.id for document in narrower.documents] == ["text-1"]
    assert narrower.rows.tolist() == [i for i, span in enumerate(corpus.chunks) if span.document == "text-1"]
    with pytest.raises(UnknownName):
        view.document("paged")
    with pytest.raises(InputError, match="view"):
        view.add("x")
    assert len(corpus.select(Where(documents=("none",))).chunks) == 0


def test_filters_by_page(corpus):
    view = corpus.select(Where(pages=(2, 2)))
    assert [document.id for document in view.documents] == ["paged"]
    assert view.everything().passages[0].text == "Second page. "
    assert view.everything().spans == (Span("paged", 12, 25),)
    assert view.characters == 13
    assert view.tokens(ModelFacts("m", counter=Counter())) == 2
    assert [corpus.document("paged").page(span.start) for span in view.chunks] == [2]
    [cover] = view.coverage([Span("paged", 0, 18)])
    assert (cover.read, cover.length) == (6, 13)
    assert view.manifest != corpus.select(Where(pages=(2, 3))).manifest
    assert len(corpus.select(Where(pages=(4, 9))).documents) == 0
    assert corpus.select(Where(pages=(1, 9))).characters == 36


def test_the_same_sources_have_the_same_manifest(corpus):
    paged = Document("paged", "First page. Second page. Third page.", pages=(0, 12, 25), metadata={"year": 2020})
    twin = Corpus.of(LEASE, {"Notes": "Dr. Wu agreed. He left."}, paged, chunking=Chunking(words=4))
    assert (twin.manifest, twin.folder) == (corpus.manifest, corpus.folder)
    other = Corpus.of(LEASE, {"Notes": "Dr. Wu agreed. He left."}, paged, chunking=Chunking(words=5))
    assert other.manifest != corpus.manifest


def test_ids_given_twice_are_refused():
    with pytest.raises(InputError, match="give each its own id"):
        Corpus.of(Document("a", "One."), Document("a", "Two."))


def test_an_empty_text_is_a_document_without_chunks():
    corpus = Corpus.of("", "Words.")
    assert [len(document.text) for document in corpus.documents] == [0, 6]
    assert len(corpus.chunks) == 1
    assert corpus.everything().passages[0].text == ""
    assert corpus.coverage([])[0].share == 1.0


def test_progress_counts_bytes(write):
    told = []
    folder = write({"a.txt": "x" * 100, "b.txt": "word " * 1_000_000})
    Corpus.over(folder, progress=told.append)
    assert all(isinstance(each, Progress) for each in told)
    assert [each.done for each in told] == sorted(each.done for each in told)
    assert (told[0].at, told[0].done, told[-1].done, told[-1].total) == ("a.txt", 100, 5_000_100, 5_000_100)
    assert told[-1].share == 1.0
    assert len(told) > 2


def test_documents_that_were_stored_need_not_stay_in_memory():
    import gc
    import weakref

    class Long(str):
        __slots__ = ("__weakref__",)

    text = Long("word " * 1000)
    alive = weakref.ref(text)
    corpus = Corpus.over(Document("a", text))
    del text
    gc.collect()
    assert alive() is None
    assert corpus.add(Document("b", "More.")).characters == 5005


def test_texts_that_several_documents_have_are_one_note(tmp_path):
    two = Corpus.of({"a": "The rent is ten.", "b": "The rent is ten."})
    assert [note for note in two.notes if "stored once" in note] == [
        "b has the same text as a: stored once, listed twice"
    ]
    many = Corpus.of({f"copy {number}": "The rent is ten." for number in range(40)} | {"own": "Pets are fine."})
    [note] = [note for note in many.notes if "stored once" in note]
    assert note.startswith("39 documents have the same text as others (copy 1 as copy 0, first)")
    assert len(many.documents) == 41
