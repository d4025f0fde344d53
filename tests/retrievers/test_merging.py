import numpy as np

from ragctx.corpus import Chunking, Corpus
from ragctx.retrievers.fusion import fuse
from ragctx.retrievers.merging import context
from ragctx.retrievers.ranking import Ranking, best, shape


def corpus_of_four():
    return Corpus.of(
        "One two three. Four five six.\n\nSeven eight nine.", "Ten eleven twelve.", chunking=Chunking(words=3)
    )


def ranking(*chunks):
    return Ranking(np.array(chunks), np.linspace(1, 0.1, len(chunks)))


def test_neighbours_become_one_span_with_the_space_between():
    corpus = corpus_of_four()
    found = context(corpus, ranking(2, 3, 1), 3)
    assert [passage.text for passage in found.passages] == ["Four five six.\n\nSeven eight nine.", "Ten eleven twelve."]
    assert [len(passage.spans) for passage in found.passages] == [1, 1]
    assert found.passages[0].score == 1.0


def test_neighbours_of_different_documents_stay_apart():
    found = context(corpus_of_four(), ranking(3, 2), 2)
    assert [passage.text for passage in found.passages] == ["Ten eleven twelve.", "Seven eight nine."]


def test_merging_can_be_left():
    found = context(corpus_of_four(), ranking(1, 0), 2, merge=False)
    assert [passage.text for passage in found.passages] == ["Four five six.", "One two three."]


def test_best_takes_the_earlier_of_equals():
    scores = np.array([1.0, 2.0, 2.0, 2.0, 0.5])
    assert best(scores, np.ones(5, bool), 2)[0].tolist() == [1, 2]
    assert best(scores, np.ones(5, bool), 50)[0].tolist() == [1, 2, 3, 0, 4]
    assert best(scores, np.zeros(5, bool), 3)[0].tolist() == []


def test_shape_of_one_and_of_equals():
    assert shape("x", np.array([3.0]), np.array([0])) == {"x_gap": 1.0, "x_entropy": 0.0, "x_spread": 1.0}
    flat = shape("x", np.full(10, 2.0), np.zeros(10))
    assert flat["x_entropy"] > 0.999
    assert flat["x_gap"] == 0
    assert flat["x_spread"] == 0.1


def test_fusion_by_the_formula():
    chunks, sums = fuse([np.array([5, 1]), np.array([1, 8])], [1.0, 0.5], k=60)
    assert chunks.tolist() == [1, 5, 8]
    assert sums.tolist() == [1 / 62 + 0.5 / 61, 1 / 61, 0.5 / 62]


def test_fusion_of_nothing():
    assert fuse([np.zeros(0, int), np.zeros(0, int)], [1, 1])[0].tolist() == []
    assert fuse([np.zeros(0, int), np.array([4])], [1, 1])[0].tolist() == [4]
