import pytest

from ragctx.corpus import Corpus
from ragctx.errors import ConfigError
from ragctx.models import Models
from ragctx.retrievers.bm25 import BM25
from ragctx.retrievers.dense import Dense
from ragctx.retrievers.fusion import fuse
from ragctx.retrievers.hybrid import ALONE, Hybrid
from ragctx.types import Document, Question
from ragctx.work import run


def notes(count):
    return [Document(f"n{i}.txt", f"Note number{i} tells of thing{i % 7} and subject{i % 3}.") for i in range(count)]


def test_without_an_encoder_it_is_bm25_and_says_so():
    corpus, asked = Corpus.of(*notes(20)), Question("thing3 of subject1")
    found = run(Hybrid().retrieve(asked, corpus, 5, Models()))
    alone = run(BM25().retrieve(asked, corpus, 5, Models()))
    assert found.passages == alone.passages
    assert found.notes == (ALONE,)
    assert "pip" not in ALONE, "an encoder may be left out on purpose"
    assert found.signals == alone.signals


def test_with_an_encoder_it_fuses_both(bench):
    pytest.importorskip("faiss")
    corpus, asked = Corpus.of(*notes(40)), Question("thing3 of subject1")
    bench(Hybrid().prepare(corpus, bench.models))
    found = bench(Hybrid(merge=False).retrieve(asked, corpus, 40, bench.models))
    words = BM25().rank(asked, corpus, 100)
    vectors = bench(Dense().rank(asked, corpus, 100, bench.models))
    chunks, scores = fuse([words.chunks, vectors.chunks], [1.5, 1.0], 10)
    assert [span.document for span in found.spans] == [corpus.chunks[int(c)].document for c in chunks[:40]]
    assert [passage.score for passage in found.passages] == pytest.approx(scores[:40].tolist())
    assert {"bm25_top1", "dense_top1", "disagreement"} <= set(found.signals)
    assert 0 <= found.signals["disagreement"] <= 1
    assert not found.notes


def test_a_question_without_words_still_has_vectors(bench):
    pytest.importorskip("faiss")
    found = bench(Hybrid().retrieve(Question("???"), Corpus.of(*notes(5)), 2, bench.models))
    assert len(found.spans) == 2
    assert found.notes == ("the question has no words to search for",)


@pytest.mark.parametrize("options", [{"bm25": -1.0}, {"bm25": 0.0, "dense": 0.0}, {"k": -1.0}])
def test_weights_that_cannot_be(options):
    with pytest.raises(ConfigError):
        Hybrid(**options)
