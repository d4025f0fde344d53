"""BM25 over segments against bm25s over everything at once, and against the formula written out."""

import math
import random
from collections import Counter

import numpy as np
import pytest

from ragctx.corpus import Chunking, Corpus
from ragctx.models import Models
from ragctx.retrievers import inverted, parts, segments
from ragctx.retrievers.bm25 import BM25, NO_MATCH
from ragctx.retrievers.tokens import terms
from ragctx.types import Document, Question, Where
from ragctx.work import run

NONE = Models()


def made_up(documents, seed=0, words=60):
    """Documents of several chunks with skewed word frequencies."""
    random.seed(seed)
    vocabulary = [f"w{i}x" for i in range(200)]
    weights = [1 / (i + 1) for i in range(200)]
    for number in range(documents):
        sentences = [
            " ".join(random.choices(vocabulary, weights, k=random.randint(4, 15))) + "." for _ in range(words // 10)
        ]
        yield Document(f"d{number}.txt", " ".join(s.capitalize() for s in sentences))


@pytest.fixture
def small_segments(monkeypatch):
    """Segments of at most four chunks, so that small corpora have many."""
    for name in ("parts", "pack"):
        monkeypatch.setattr(getattr(parts, name), "__defaults__", (4,))
    monkeypatch.setattr(segments, "SEGMENT", 4)
    monkeypatch.setattr(segments, "MOST_SMALL", 2)


def ranked(corpus, text, depth=1000):
    ranking = BM25(k1=1.2, b=0.75).rank(Question(text), corpus, depth)
    return ranking.chunks.tolist(), ranking.scores.tolist()


def by_the_formula(corpus, text, k1=1.2, b=0.75):
    chunks = [Counter(terms(corpus.chunks.text(i))) for i in range(len(corpus.chunks))]
    average = sum(chunk.total() for chunk in chunks) / len(chunks)
    scores = {}
    for number, chunk in enumerate(chunks):
        for term in terms(text):
            df = sum(term in other for other in chunks)
            tf = chunk[term]
            idf = math.log(1 + (len(chunks) - df + 0.5) / (df + 0.5))
            gain = idf * tf / (tf + k1 * (1 - b + b * chunk.total() / average))
            scores[number] = scores.get(number, 0.0) + gain
    return {number: score for number, score in scores.items() if score > 0}


def indexed_segments(corpus):
    return len(segments.read(next((corpus.folder / "indexes").glob("bm25-*")) / corpus.manifest))


QUESTIONS = ["w0x w5x w17x?", "w3x", "w199x w150x w0x", "w1x w1x w8x", "w42x and absentword"]


@pytest.mark.parametrize("text", QUESTIONS)
def test_many_segments_score_as_the_formula_says(small_segments, text):
    corpus = Corpus.of(*made_up(15), chunking=Chunking(words=20))
    chunks, scores = ranked(corpus, text)
    wanted = by_the_formula(corpus, text)
    assert indexed_segments(corpus) > 5
    assert dict(zip(chunks, scores, strict=True)) == pytest.approx(wanted, rel=1e-5)
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("text", QUESTIONS)
def test_many_segments_score_as_one_bm25s_index(small_segments, text):
    bm25s = pytest.importorskip("bm25s")
    corpus = Corpus.of(*made_up(15), chunking=Chunking(words=20))
    whole = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
    whole.index([terms(corpus.chunks.text(i)) for i in range(len(corpus.chunks))], show_progress=False)
    wanted = whole.get_scores(terms(text))
    chunks, scores = ranked(corpus, text)
    assert sorted(chunks) == np.flatnonzero(wanted > 0).tolist()
    assert wanted[chunks] == pytest.approx(np.array(scores), rel=1e-5)


def test_adding_and_removing_scores_as_indexing_anew(small_segments, tmp_path):
    documents = list(made_up(14, seed=3))
    grown = Corpus.of(*documents[:10], folder=tmp_path / "grown", chunking=Chunking(words=20))
    run(BM25().prepare(grown, NONE))
    for document in documents[10:]:
        grown.add(document)
        run(BM25().prepare(grown, NONE))
    grown.remove("d2.txt", "d7.txt", "d11.txt")
    fresh = Corpus.of(
        *[d for d in documents if d.id not in {"d2.txt", "d7.txt", "d11.txt"}],
        folder=tmp_path / "fresh",
        chunking=Chunking(words=20),
    )
    for text in QUESTIONS:
        assert ranked(grown, text) == ranked(fresh, text)


def test_adding_one_document_reads_that_document_only(monkeypatch, tmp_path):
    corpus = Corpus.of(*made_up(20), folder=tmp_path / "c", chunking=Chunking(words=20))
    run(BM25().prepare(corpus, NONE))
    read = []
    of = inverted.Postings.of
    monkeypatch.setattr(inverted.Postings, "of", lambda texts: of(read.append(t) or t for t in texts))
    corpus.add(Document("new.txt", "A zebra is new."))
    [found] = ranked(corpus, "zebra")[0]
    assert corpus.chunks[found].document == "new.txt"
    assert read == ["A zebra is new."]


def test_many_single_additions_keep_segments_few(small_segments, tmp_path):
    corpus = Corpus.of("Start here.", folder=tmp_path / "c")
    for number in range(12):
        corpus.add(Document(f"n{number}.txt", f"Number {number}x is here."))
        run(BM25().prepare(corpus, NONE))
    assert indexed_segments(corpus) <= 6
    assert len(ranked(corpus, "7x")[0]) == 1


def test_a_text_that_stands_twice_is_found_twice(tmp_path):
    corpus = Corpus.of(
        Document("a.txt", "Rent is due."), Document("b.txt", "Rent is due."), "Pets.", folder=tmp_path / "c"
    )
    assert len(ranked(corpus, "rent")[0]) == 2
    corpus.remove("a.txt")
    found = run(BM25().retrieve(Question("rent"), corpus, 5, NONE))
    assert [span.document for span in found.spans] == ["b.txt"]


def test_nothing_to_do_is_no_work(tmp_path, monkeypatch):
    corpus = Corpus.of("Rent is due.", folder=tmp_path / "c")
    run(BM25().prepare(corpus, NONE))
    monkeypatch.setattr(inverted, "build", lambda *_: pytest.fail("built twice"))
    run(BM25().prepare(corpus, NONE))
    assert ranked(corpus, "rent")[0] == [0]


def test_a_question_asked_again_is_scored_once_until_the_corpus_changes(tmp_path, monkeypatch):
    corpus = Corpus.of("Rent is due.", "Rent and keys.", folder=tmp_path / "c")
    scored = []
    score = inverted.Inverted.score
    monkeypatch.setattr(inverted.Inverted, "score", lambda self, *asked: scored.append(asked) or score(self, *asked))
    assert [ranked(corpus, "rent", depth)[0] for depth in (1, 2, 1)] == [[0], [0, 1], [0]]
    assert len(scored) == 1
    corpus.add(Document("new.txt", "Rent, rent."))
    assert len(ranked(corpus, "rent")[0]) == 3
    assert len(scored) == 2


def test_signals_are_shares():
    corpus = Corpus.of("Rent is due in May.", "Rent and keys.", "Pets.")
    found = run(BM25().retrieve(Question("When is the rent due?"), corpus, 5, NONE))
    assert found.signals["bm25_coverage"] == 1.0
    assert set(found.signals) == {"bm25_top1", "bm25_gap", "bm25_entropy", "bm25_spread", "bm25_coverage"}
    assert all(0 <= value <= 1 for value in found.signals.values())
    weaker = run(BM25().retrieve(Question("When is the lion fed?"), corpus, 5, NONE))
    assert weaker.notes == (NO_MATCH,)


def test_what_the_limit_leaves_out_is_named():
    corpus = Corpus.of("Rent one.", "Rent two.", "Rent three.")
    found = run(BM25().retrieve(Question("rent"), corpus, 2, NONE))
    assert [dropped.reason for dropped in found.dropped] == ["rank 3 of at most 2"]
    assert {span.document for span in found.spans} | {found.dropped[0].span.document} == {"text-1", "text-2", "text-3"}


def test_a_view_ranks_its_own_chunks_with_the_whole_corpus_index():
    corpus = Corpus.of(
        Document("a.txt", "Rent is due."), Document("b.txt", "Rent, rent, rent."), Document("c.txt", "Keys.")
    )
    view = corpus.select(Where(documents=("a.txt", "c.txt")))
    found = run(BM25().retrieve(Question("rent"), view, 5, NONE))
    assert [span.document for span in found.spans] == ["a.txt"]
    assert not (corpus.folder / "views").exists()
