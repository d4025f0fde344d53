"""What is noted of documents is the plan's to tell; an answer repeats what it rests on, asked alone or in a batch."""

from __future__ import annotations

from ragctx import Corpus, Pipeline, Question
from ragctx.readers.scripted import Scripted


def test_answers_of_a_batch_and_alone_have_the_same_notes(tmp_path):
    corpus = Corpus.of({"a": "Rent is due monthly.", "b": "Rent is due monthly.", "c": "Pets are welcome."})
    asked = Question("When is rent due?", id="q")
    with Pipeline(corpus, {"reader": Scripted(default="Monthly [1].")}) as pipeline:
        plan = pipeline.plan([asked], strategy="full")
        [row] = pipeline.batch([asked], job=tmp_path / "job.sqlite", strategy="full")
        alone = pipeline.ask(asked, strategy="full")
    assert any("has the same text as" in note for note in plan.notes)
    assert row.answer.notes == alone.notes
    assert not any("has the same text as" in note for note in alone.notes)
