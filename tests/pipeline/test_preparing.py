"""What is made for a corpus before questions are asked: only what they will read, and each thing once."""

from __future__ import annotations

from ragctx import Corpus, Pipeline, Question
from ragctx.readers.scripted import Scripted
from ragctx.strategies.retrieve import Retrieve
from ragctx.types import Where

PART = Where(documents=("a*",))


def pipeline(folder):
    corpus = Corpus.of({f"{name}{i}": f"Clause {i} of {name}." * 9 for name in "abcd" for i in range(8)}, folder=folder)
    reader = Scripted(default="They are clauses.")
    return Pipeline(
        corpus,
        {"reader": reader, "encoder": reader},
        strategies={"summed up": Retrieve(retriever="clustered", rerank=False, prune=None)},
    )


def summaries(answer):
    return sum(charge.purpose not in {"answer", "embed"} for charge in answer.usage.charges)


def whole_is_there(folder):
    """Asked of a pipeline that made nothing itself."""
    with pipeline(folder) as other:
        return other.prepare(only=["summed up"], writing=False) == ()


def test_a_part_of_the_corpus_is_summed_up_alone(tmp_path):
    with pipeline(tmp_path) as asking:
        answer = asking.ask(Question("What are they?", where=PART), strategy="summed up")
        assert summaries(answer) > 0, "billed to the question that needed them"
        again = asking.ask(Question("And what else?", where=PART), strategy="summed up")
        assert summaries(again) == 0
    assert not whole_is_there(tmp_path)


def test_questions_of_a_batch_that_read_parts_sum_up_no_more(tmp_path):
    with pipeline(tmp_path / "index") as asking:
        questions = [Question(text, id=text, where=PART) for text in ("What are they?", "And what else?")]
        rows = list(asking.batch(questions, job=tmp_path / "job.sqlite", strategy="summed up"))
        assert all(row.answer is not None for row in rows)
    assert not whole_is_there(tmp_path / "index")


def test_the_whole_is_summed_up_before_it_is_asked_about(tmp_path):
    with pipeline(tmp_path) as asking:
        answer = asking.ask(Question("What are they?"), strategy="summed up")
        assert summaries(answer) == 0
    assert whole_is_there(tmp_path)
