"""A question in letters that the packaged reading model was never taught: said in the plan, never guessed at."""

from __future__ import annotations

import pytest

from ragctx import Corpus, Pipeline, Question
from ragctx.compressors.provence import Provence
from ragctx.errors import ConfigError
from ragctx.readers.scripted import Scripted

LEASE = (
    "租金每月九百元，每月第一天支付。可以养宠物。" * 6 + "通知期为三个月，必须书面提出。" + "窗户每年春天清洗一次。" * 6
)
QUESTION = "通知期是多久？"


@pytest.fixture(scope="module")
def pipeline():
    corpus = Corpus.of({"lease": LEASE})
    models = {"reader": Scripted(default="三个月 [1]"), "encoder": None, "ranker": "extractive", "scorer": None}
    with Pipeline.over(corpus, **models) as made:
        yield made


def test_extract_is_out_and_the_plan_says_why(pipeline) -> None:
    decision = pipeline.plan([QUESTION])[0].decision
    [extract] = [one for one in decision.rejected if one.strategy == "extract"]
    assert "letters that" in extract.rejected
    assert decision.strategy not in ("", "extract")


def test_named_it_refuses_and_does_not_say_that_the_documents_are_silent(pipeline) -> None:
    with pytest.raises(ConfigError, match=r"mostly in letters that .* does not know: use a strategy"):
        pipeline.ask(QUESTION, strategy="extract")


def test_compress_chooses_by_words_and_says_so(pipeline) -> None:
    answer = pipeline.ask(QUESTION, strategy="compress")
    assert answer.text.startswith("三个月")


def test_pruning_keeps_what_shares_the_questions_words_within_the_budget(pipeline) -> None:
    source = pipeline.corpus.everything()
    work = Provence().compress(Question(QUESTION), source, 40, pipeline.models)
    found = pipeline.engine.run(work).result()
    assert "通知期为三个月" in "".join(passage.text for passage in found.passages)
    assert any("BM25" in note and "letters" in note for note in found.notes)
    counter = pipeline.models.reader.counter
    assert counter.count("\n\n".join(passage.text for passage in found.passages)) <= 40


def test_english_with_a_foreign_name_is_read(pipeline) -> None:
    assert pipeline.models.of("ranker").reads("What does 租金 mean in this lease?")
    assert not pipeline.models.of("ranker").reads(QUESTION)


def test_reasons_that_are_alike_are_told_once() -> None:
    alone = Pipeline.over(Corpus.of({"lease": LEASE}), reader="extractive", encoder=None)
    with alone, pytest.raises(ConfigError) as told:
        alone.ask(QUESTION)
    message = str(told.value)
    assert message.count("no model here writes") == 1
    assert "extract: the question is mostly in letters" in message
    assert len(message) < 500
