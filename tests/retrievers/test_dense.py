import numpy as np
import pytest

from ragctx.corpus import Chunking, Corpus
from ragctx.errors import ConfigError, MissingExtra
from ragctx.folders import cache_folder
from ragctx.models import Models
from ragctx.retrievers import embedding, parts, segments
from ragctx.retrievers.dense import Dense
from ragctx.types import Document, Question, Where
from ragctx.work import Embed, run

pytest.importorskip("faiss")


def notes(count, start=0):
    return [
        Document(f"n{i}.txt", f"Note number{i} tells of thing{i} and subject{i}.") for i in range(start, start + count)
    ]


def test_nearest_by_cosine_over_many_segments(bench, monkeypatch):
    monkeypatch.setattr(parts.pack, "__defaults__", (4,))
    monkeypatch.setattr(segments, "SEGMENT", 4)
    corpus = Corpus.of(*notes(30))
    ranking = bench(Dense().rank(Question("Which thing7 is told?"), corpus, 30, bench.models))
    rows = bench.encoder.serve([Embed(tuple(corpus.chunks.text(i) for i in range(30)))], lambda i, t: None)[0].rows
    asked = bench.encoder.serve([Embed(("Which thing7 is told?",))], lambda i, t: None)[0].rows[0]
    cosines = rows @ asked
    assert sorted(ranking.chunks.tolist()) == list(range(30))
    assert ranking.scores == pytest.approx(cosines[ranking.chunks], abs=1e-6)
    assert np.all(np.diff(ranking.scores) <= 0)


def test_adding_a_document_embeds_that_document_only(bench):
    corpus = Corpus.of(*notes(40))
    bench(Dense().prepare(corpus, bench.models))
    assert len(bench.model.seen) == 40
    corpus.add(Document("new.txt", "A zebra came."))
    bench(Dense().prepare(corpus, bench.models))
    assert bench.model.seen[40:] == ["A zebra came."]
    corpus.remove("n3.txt")
    bench(Dense().prepare(corpus, bench.models))
    assert len(bench.model.seen) == 41
    found = bench(Dense().retrieve(Question("zebra"), corpus, 1, bench.models))
    assert found.passages[0].text == "A zebra came."
    ranking = bench(Dense().rank(Question("number20"), corpus, 100, bench.models))
    assert len(ranking) == 40
    assert corpus.chunks[int(ranking.chunks[0])].document == "n20.txt"


def test_preparing_twice_asks_nothing(bench):
    corpus = Corpus.of(*notes(3))
    bench(Dense().prepare(corpus, bench.models))
    run(Dense().prepare(corpus, bench.models))  # would raise if it yielded


def test_a_crash_keeps_what_was_embedded_and_the_old_index(bench, monkeypatch):
    monkeypatch.setattr(embedding, "WINDOW", 10)
    corpus = Corpus.of(*notes(5))
    bench(Dense().prepare(corpus, bench.models))
    old = next((corpus.folder / "indexes").glob("dense-*/*/segments.json"))
    corpus.add(*notes(45, start=5))
    bench.model.fail_after = 25
    with pytest.raises(KeyboardInterrupt):
        bench(Dense().prepare(corpus, bench.models))
    assert old.exists()
    done = len(bench.model.seen)
    assert done == 25
    assert len(list(cache_folder("embedding").glob("*.npy"))) == 2
    bench.model.fail_after = None
    bench(Dense().prepare(corpus, bench.models))
    assert len(bench.model.seen) == 50
    assert len(set(bench.model.seen)) == 50
    assert not list(cache_folder("embedding").glob("*.npy"))


def test_windows_are_sorted_by_length(bench):
    corpus = Corpus.of(*[Document(f"d{i}", "word " * (i * 7 % 13 + 1)) for i in range(200)])
    bench(Dense().prepare(corpus, bench.models))
    [batch] = bench.batches
    lengths = [len(text) for request in batch for text in request.texts]
    assert lengths == sorted(lengths, reverse=True)
    assert len(lengths) == 200
    assert max(len(request.texts) for request in batch) == embedding.TEXTS


def test_filters_hold(bench):
    corpus = Corpus.of(*notes(20))
    where = Where(documents=("n1*.txt",))
    found = bench(Dense().retrieve(Question("number5 thing5", where=where), corpus, 50, bench.models))
    assert {span.document for span in found.spans} == {f"n{i}.txt" for i in (1, *range(10, 20))}
    view = bench(Dense().retrieve(Question("number5 thing5"), corpus.select(where), 50, bench.models))
    assert view.passages == found.passages


def test_signals_are_shares(bench):
    found = bench(Dense().retrieve(Question("number5"), Corpus.of(*notes(20)), 5, bench.models))
    assert set(found.signals) == {"dense_top1", "dense_gap"}
    assert all(0 <= value <= 1 for value in found.signals.values())


def test_no_encoder_is_an_error_that_says_so():
    with pytest.raises(ConfigError, match="encoder"):
        run(Dense().retrieve(Question("x"), Corpus.of("Some text."), 1, Models()))


def test_no_faiss_names_the_extra(bench, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(MissingExtra, match=r"ragctx\[local\]"):
        bench(Dense().prepare(Corpus.of("Some text."), bench.models))
    assert not bench.model.seen


def test_a_document_longer_than_a_segment(bench, monkeypatch):
    monkeypatch.setattr(parts.parts, "__defaults__", (4,))
    monkeypatch.setattr(parts.pack, "__defaults__", (4,))
    text = " ".join(f"Sentence number{i} is here." for i in range(30))
    corpus = Corpus.of(text, chunking=Chunking(words=4))
    ranking = bench(Dense().rank(Question("number17"), corpus, 40, bench.models))
    assert len(ranking) == len(corpus.chunks) == 30
    assert "number17" in corpus.chunks.text(int(ranking.chunks[0]))


def test_many_single_additions_keep_segments_few(bench, monkeypatch):
    monkeypatch.setattr(segments, "MOST_SMALL", 3)
    corpus = Corpus.of("Start here.")
    for number in range(10):
        corpus.add(*notes(1, start=number))
        bench(Dense().prepare(corpus, bench.models))
    folder = corpus.slot(next((corpus.folder / "indexes").glob("dense-*")).name).current
    assert len(segments.read(folder)) <= 4
    assert len(bench.model.seen) == 11
    ranking = bench(Dense().rank(Question("number6 thing6 subject6"), corpus, 20, bench.models))
    assert len(ranking) == 11
    assert corpus.chunks[int(ranking.chunks[0])].document == "n6.txt"


def test_documents_are_ranked_by_their_nearest_chunk(bench):
    filler = "Nothing of note stands here at all today. "
    files = [
        Document(f"f{i}.txt", (filler * i + f"Here lives subject{i} and thing{i}. " + filler * 9)) for i in range(6)
    ]
    corpus = Corpus.of(*files, chunking=Chunking(words=8))
    asked = Question("Where does subject3 and thing3 live?")
    every = bench(Dense().rank(asked, corpus, 1_000, bench.models))
    nearest = {}
    for chunk, score in zip(every.chunks.tolist(), every.scores.tolist(), strict=True):
        nearest.setdefault(corpus.chunks[chunk].document, score)
    for most in (1, 2, 1_000):
        found = bench(Dense(per_document=most).rank(asked, corpus, 1_000, bench.models))
        named = [corpus.chunks[int(chunk)].document for chunk in found.chunks]
        assert list(dict.fromkeys(named)) == sorted(nearest, key=lambda name: (-nearest[name], name))
        assert found.scores.tolist() == pytest.approx([nearest[name] for name in named])
        assert max(map(named.count, named)) <= most
        assert found.signals == every.signals
        assert named[0] == "f3.txt"
    assert set(found.chunks.tolist()) == set(every.chunks.tolist())


def test_a_filter_and_a_view_hold_for_documents(bench):
    corpus = Corpus.of(*notes(12))
    one = Dense(per_document=1)
    asked = Question("thing7 subject7", where=Where(documents=("n2.txt", "n7.txt")))
    assert [p.spans[0].document for p in bench(one.retrieve(asked, corpus, 5, bench.models)).passages] == [
        "n7.txt",
        "n2.txt",
    ]
    view = corpus.select(asked.where)
    found = bench(one.retrieve(Question("thing7 subject7"), view, 1, bench.models))
    assert [passage.spans[0].document for passage in found.passages] == ["n7.txt"]


def test_documents_need_a_chunk_each():
    with pytest.raises(ConfigError, match="per_document from 1"):
        Dense(per_document=0)


def test_a_file_of_code_is_found_by_its_nearest_block(bench, tmp_path):
    pytest.importorskip("tree_sitter")
    quiet = "\n\n".join(f"def other{i}(value):\n    return value + {i}" for i in range(30))
    (tmp_path / "loud.py").write_text(quiet.replace("def other9(value)", "def parcel_of_the_town(parcel, town)"))
    (tmp_path / "quiet.py").write_text(quiet)
    corpus = Corpus.over(tmp_path, folder=tmp_path / "store", chunking=Chunking(words=15))
    found = bench(Dense(per_document=1).retrieve(Question("parcel_of_the_town parcel town"), corpus, 1, bench.models))
    [passage] = found.passages
    assert passage.spans[0].document == "loud.py"
    assert "def parcel_of_the_town(parcel, town):\n    return value + 9" in passage.text
