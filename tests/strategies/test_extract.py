"""Copying the answer: when a stretch is sure, when a sentence stands for it, when neither is."""

from __future__ import annotations

import sys
from subprocess import run as process

import pytest

from ragctx.corpus import Corpus
from ragctx.errors import ConfigError, RequestFailed
from ragctx.models import ModelFacts, Models
from ragctx.pipeline import Pipeline
from ragctx.readers.scripted import Rule, Scripted
from ragctx.strategies import Extract
from ragctx.types import Decision, Document, Question, Range, Turn
from ragctx.work import Failure, Relevances, Rerank, Stretch, run

ASKED = Question("What is the notice period?")
TEXTS = ("The notice period is three months. Pets are welcome.", "Notice: three months.", "The notice is six months.")
KINDS = frozenset({"Rerank", "Prune", "Extract"})
MODELS = Models({"ranker": ModelFacts("reading", kinds=KINDS)})


class Says:
    """A model that says of every text what it is told, by the words that are in it."""

    def __init__(self, keep: float = 0.1, **likely: float) -> None:
        self.keep, self.likely, self.requests = keep, {k.replace("_", " "): p for k, p in likely.items()}, []

    def __call__(self, requests):
        self.requests += requests
        return [self.reply(request) for request in requests]

    def reply(self, request: Rerank) -> Relevances:
        found = [
            [Stretch(at, at + len(words), p) for words, p in self.likely.items() if (at := text.find(words)) >= 0]
            for text in request.texts
        ]
        keeps = tuple(
            tuple(self.keep if text[a:b].startswith("The notice") else 0.01 for a, b in units)
            for text, units in zip(request.texts, request.units, strict=True)
        )
        answers = tuple(tuple(sorted(f, key=lambda s: -s.probability)) for f in found)
        return Relevances((0.5,) * len(request.texts), keeps=keeps, answers=answers)


def answer(says: Says, corpus: Corpus | None = None, asked: Question = ASKED, models: Models = MODELS, **options):
    return run(Extract(**options).read(asked, corpus or Corpus.of(*TEXTS), models), says)


def test_passages_that_agree_outweigh_a_surer_one() -> None:
    made = answer(Says(three_months=0.4, six_months=0.5), support=1.0)
    assert made.text == "three months"
    assert made.confidence == pytest.approx(1 - 0.6 * 0.6)
    assert {c.text for c in made.citations} == {"The notice period is three months.", "Notice: three months."}
    assert any("'six months' (0.50)" in note for note in made.notes), "a close one is told"


@pytest.mark.parametrize(("support", "text", "confidence"), [(0.0, "six months", 0.5), (0.5, "three months", 0.52)])
def test_what_support_is_worth_is_an_option(support: float, text: str, confidence: float) -> None:
    made = answer(Says(three_months=0.4, six_months=0.5), support=support)
    assert (made.text, made.confidence) == (text, pytest.approx(confidence))


def test_a_question_is_billed_nothing() -> None:
    reading = Scripted([Rule("notice", "three months")])
    with Pipeline(Corpus.of(*TEXTS), {"ranker": reading}, strategies={"extract": Extract()}) as pipeline:
        made = run_alone(pipeline)
    assert made.text == "three months"
    assert (made.usage.tokens, made.usage.calls) == (0, 0)
    assert [charge.role for charge in made.usage.charges] == ["ranker"]
    assert [type(request) for [request] in reading.calls] == [Rerank]


def run_alone(pipeline: Pipeline):
    decision = Decision("extract", "asked for")
    pipeline.prepare()
    return pipeline.account(ASKED, decision, pipeline.engine.run(pipeline.job(ASKED, decision)))


def test_a_far_one_is_not_told() -> None:
    made = answer(Says(three_months=0.8, six_months=0.1), support=1.0)
    assert made.notes == ()
    assert made.confidence == pytest.approx(0.96)


def test_a_longer_wording_is_no_other_answer() -> None:
    made = answer(Says(three_months=0.6, **{"period is three months.": 0.5}), Corpus.of(TEXTS[0]))
    assert made.text == "three months"
    assert made.notes == ()


def test_an_overlapping_wording_is_no_other_answer() -> None:
    made = answer(Says(period_is_three=0.4, three_months=0.5))
    assert made.text == "three months"
    assert made.notes == ()


def test_an_unsure_stretch_gives_way_to_its_sentence() -> None:
    made = answer(Says(keep=0.7, six_months=0.2), sure=0.35)
    assert made.text == "The notice period is three months."
    assert made.confidence == 0.7
    assert made.citations[0].text == made.text
    assert any("sentence" in note and "'six months', 0.20" in note for note in made.notes)


def test_where_neither_is_likely_it_declines() -> None:
    made = answer(Says(keep=0.4, six_months=0.2), sure=0.35, sentence=0.5)
    assert (made.answerable, made.text, made.citations) == (False, "The documents do not answer this question.", ())
    assert made.confidence == pytest.approx(0.8)
    assert any("six months" in note for note in made.notes)
    assert made.coverage[0].read == len(TEXTS[0])


@pytest.mark.parametrize(("options", "text"), [
    ({"sure": 0.2}, "six months"), ({"sentence": 0.4}, "The notice period is three months."), ({"sentence": 0.5}, None),
])  # fmt: skip
def test_thresholds_are_options(options: dict[str, float], text: str | None) -> None:
    made = answer(Says(keep=0.4, six_months=0.2), **{"sure": 0.35, **options})
    assert made.text == (text or "The documents do not answer this question.")


@pytest.mark.parametrize("options", [{"candidates": 0}, {"answers": 0}, {"sure": 1.1}, {"close": -0.1}, {"support": 2}])
def test_options_that_make_no_sense(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Extract(**options)


def test_a_model_that_cannot_weigh_sentences_still_answers() -> None:
    models = Models({"ranker": ModelFacts("reading", kinds=frozenset({"Rerank", "Extract"}))})
    says = Says(three_months=0.6)
    says.reply = lambda request: Relevances((0.5,), answers=((Stretch(21, 33, 0.6),),) * len(request.texts))
    made = answer(says, Corpus.of(TEXTS[0]), models=models)
    assert not says.requests[0].units
    assert (made.text, made.citations[0].text) == ("three months", "The notice period is three months.")


def test_the_model_is_told_the_titles() -> None:
    says = Says()
    answer(says, Corpus.over(Document("berlin_office-lease.txt", TEXTS[0]), Document("b.txt", TEXTS[1], title="House")))
    assert set(says.requests[0].titles) == {"berlin office lease", "House"}


def test_the_page_is_cited() -> None:
    made = answer(Says(three_months=0.9), Corpus.over(Document("a.pdf", "Cover.\n\n" + TEXTS[0], pages=(0, 8))))
    assert made.citations[0].page == 2
    assert made.citations[0].source == "a.pdf"


def test_nothing_found_reads_the_openings() -> None:
    says = Says()
    made = answer(says, asked=Question("\u901a\u77e5\u671f\u95f4"))
    assert len(says.requests[0].texts) == 3
    assert any("openings were read" in note for note in made.notes)


def test_a_failing_model_is_an_error_and_a_question_it_cannot_read_is_declined() -> None:
    for kind, raises in (("crashed", True), ("bad_request", False)):
        says = Says()
        says.reply = lambda request, kind=kind: Failure(kind, "no words in it")
        if raises:
            with pytest.raises(RequestFailed, match="no words"):
                answer(says)
            continue
        made = answer(says)
        assert not made.answerable
        assert any("no words in it" in note for note in made.notes)


HISTORY = (Turn("user", "Tell me of the lease of Ada Moss. " + "More words. " * 90), Turn("assistant", "It is long."))


def test_a_follow_up_is_rewritten_where_a_model_writes(scripted) -> None:
    reader = scripted(lines=["What is the notice period?"])
    models = Models({**reader.models.roles, **MODELS.roles})
    says = Says(three_months=0.9)

    def reply(requests):
        return says(requests) if isinstance(requests[0], Rerank) else reader(requests)

    asked = Question("And the notice period of it?", history=HISTORY)
    corpus = Corpus.of(*TEXTS)
    estimate = Extract().estimate(asked, corpus, models)
    made = run(Extract().read(asked, corpus, models), reply)
    assert [request.purpose for request in reader.requests] == ["standalone question"]
    assert says.requests[0].query == "What is the notice period?"
    assert made.notes == ("read as: What is the notice period?",)
    assert estimate.prompt == Range.exactly(reader.prompt_tokens)
    assert [line.role for line in estimate.lines] == ["reader", "ranker"]


def test_a_follow_up_without_a_writer_is_short() -> None:
    says, asked = Says(three_months=0.9), Question("And the notice period of it?", history=HISTORY)
    for models in (MODELS, Models({**MODELS.roles, "reader": MODELS.of("ranker")})):
        made = answer(says, asked=asked, models=models)
        assert any("follow-up" in note for note in made.notes)
        assert any("follow-up" in note for note in Extract().estimate(asked, Corpus.of(*TEXTS), models).notes)
    assert "Ada Moss" in says.requests[0].query
    assert len(says.requests[0].query.split()) < 50
    assert not made.question.startswith("And")


def test_a_dense_search_makes_the_plan_a_guess() -> None:
    roles = {**MODELS.roles, "encoder": ModelFacts("e", kinds=frozenset({"Embed"}))}
    estimate = Extract(retriever="hybrid").estimate(ASKED, Corpus.of(*TEXTS), Models(roles))
    [line] = estimate.lines
    assert line.prompt.low == 0
    assert line.prompt.expected > 0


def test_answering_loads_no_torch(tmp_path) -> None:
    code = (
        "import sys\n"
        "from ragctx.corpus import Corpus\n"
        "from ragctx.models import Models\n"
        "from ragctx.readers.scripted import Rule, Scripted\n"
        "from ragctx.strategies import Extract\n"
        "from ragctx.types import Question\n"
        "from ragctx.work import run\n"
        "model = Scripted([Rule('notice', 'three months')])\n"
        "work = Extract().read(Question('What is the notice?'), Corpus.of('Notice is three months.'), "
        "Models({'ranker': model.facts}))\n"
        "assert run(work, lambda requests: model.serve(requests, print)).text == 'three months'\n"
        "assert not {'torch', 'sklearn', 'transformers', 'onnxruntime'} & set(sys.modules)\n"
    )
    done = process([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
