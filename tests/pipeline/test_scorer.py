"""Which model weighs words for compressors, and what is said where none does."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragctx import Corpus, Pipeline, assembly
from ragctx.engine.keys import reply_key
from ragctx.engine.order import block
from ragctx.errors import ConfigError
from ragctx.models import EstimatedCounter, ModelFacts, Models, pieces_of
from ragctx.readers import local
from ragctx.readers.deferred import Deferred
from ragctx.readers.scripted import Scripted
from ragctx.work import Score, Scores, Work

LEASE = "The notice period is three months. Pets are welcome."


class Writer:
    """A reader that writes and does not score, as an endpoint's."""

    batch = 4

    def __init__(self, kinds: frozenset[str] = frozenset({"Generate"})) -> None:
        self.facts = ModelFacts("writer", EstimatedCounter(), kinds=kinds)

    def serve(self, requests: object, emit: object) -> list[object]:
        raise AssertionError("nobody asks")

    def close(self) -> None:
        pass


def opened(**changes: object) -> Pipeline:
    settings = {"reader": Scripted(default="Three months. [1]"), "encoder": None, "ranker": None, "cache": False}
    return Pipeline.over(Corpus.of(LEASE), **settings | changes)  # type: ignore[arg-type]


def test_a_reader_that_tells_its_tokens_scores() -> None:
    with opened() as pipeline:
        assert pipeline.backends["scorer"] is pipeline.backends["reader"]
        assert pipeline.models.can("scorer", "Score")


def test_none_is_no_scorer_and_the_error_names_one() -> None:
    with opened(scorer=None) as pipeline:
        assert not pipeline.models.has("scorer")
        with pytest.raises(ConfigError, match="scorer='local:smollm2-135m'"):
            pipeline.models.of("scorer")


def test_a_scorer_must_score_and_tell_its_tokens() -> None:
    other = Scripted(name="other")
    with opened(scorer=other) as pipeline:
        assert pipeline.backends["scorer"] is other
    with pytest.raises(ConfigError, match="cannot score text"):
        opened(scorer=Writer())
    with pytest.raises(ConfigError, match="does not tell its tokens"):
        opened(scorer=Writer(frozenset({"Score"})))


def test_a_role_given_by_hand_comes_first() -> None:
    other = Scripted(name="other")
    with opened(roles={"scorer": other}) as pipeline:
        assert pipeline.backends["scorer"] is other


def test_beside_a_reader_that_cannot_score_stands_the_bundled_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "missing", lambda model: "")
    with opened(reader=Writer()) as pipeline:
        scorer = pipeline.backends["scorer"]
        assert isinstance(scorer, Deferred)
        assert not scorer.opened  # its weights may have to be converted first
        assert pipeline.models.of("scorer").name == "local:smollm2-135m"
        assert pipeline.models.of("scorer").window == 8192
        assert not pipeline.models.can("scorer", "Generate")
        pieces_of(pipeline.models.of("scorer"))
    monkeypatch.setattr(local, "missing", lambda model: "pip install something")
    with opened(reader=Writer()) as pipeline:
        assert not pipeline.models.has("scorer")
        assert not any("scorer" in note or "words" in note for note in pipeline.notes)


def test_one_name_is_one_model() -> None:
    reading = Scripted(name="scripted:echo")
    assert assembly.open_scorer("scripted:echo", reading, "scripted:echo") is reading
    assert assembly.open_scorer("scripted:echo", reading, "scripted:other") is not reading


def test_what_is_deferred_opens_once_and_keeps_its_identity() -> None:
    made: list[Scripted] = []

    def make() -> Scripted:
        made.append(Scripted())
        return made[-1]

    scorer = Deferred("later", "later:1", 100, frozenset({"Score"}), make)
    before, counter = scorer.facts, scorer.facts.counter
    assert (scorer.batch, scorer.opened, made) == (16, False, [])
    [reply] = scorer.serve([Score("a rent", "rent")], lambda i, text: None)
    assert len(reply.logprobs) == counter.count("rent") == len(counter.pieces("rent")[0]) == 1  # type: ignore[attr-defined]
    assert (len(made), scorer.batch) == (1, made[0].batch)
    assert (scorer.facts.identity, scorer.facts.window, scorer.facts.name) == (before.identity, 100, "later")
    scorer.close()


def test_a_work_scores_ids_through_the_engine() -> None:
    def work(models: Models) -> Work[list[Scores]]:
        pieces = pieces_of(models.of("scorer")).pieces
        notice, pets = (tuple(pieces(text)[0]) for text in LEASE.split(". "))
        return (yield [Score(notice, pets, whole=True), Score("Pets", "are"), Score(pets, notice)])  # type: ignore[return-value]

    with opened() as pipeline:
        outcome = pipeline.engine.run(work(pipeline.models))
        whole, text, plain = outcome.result()
    assert len(whole.before) == len(plain.logprobs)
    assert len(whole.logprobs) == len(whole.tokens)
    assert len(text.logprobs) == 1
    assert [charge.role for charge in outcome.usage.charges] == ["scorer"] * 3
    assert outcome.usage.charges[0].prompt == len(whole.before) + len(whole.logprobs)


def test_keys_tell_requests_apart_and_orders_mix_text_and_ids() -> None:
    asked = [Score("a", "b"), Score((1,), "b"), Score("a", (1,)), Score((1,), (2,)), Score((1,), (2,), whole=True)]
    keys = {reply_key(request, Scripted().facts) for request in asked}
    assert len(keys) == len(asked)
    again = Score((1,), (2,), whole=True, tolerant=True, purpose="rank")
    assert reply_key(again, Scripted().facts) in keys
    assert sorted(map(str, block(asked, lambda one: one, 9))) == sorted(map(str, asked))


def test_another_scorer_is_another_job(tmp_path: Path) -> None:
    with opened(scorer=Scripted(name="one")) as pipeline:
        list(pipeline.batch(["What is the notice period?"], job=tmp_path / "j.sqlite", strategy="full"))
    with opened(scorer=Scripted(name="two")) as pipeline, pytest.raises(ConfigError, match="models was"):
        list(pipeline.batch(["What is the notice period?"], job=tmp_path / "j.sqlite", strategy="full"))
