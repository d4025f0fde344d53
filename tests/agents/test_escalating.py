"""Escalation: which step answers, when a refusal is believed, what is billed and streamed, what is left out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ragctx.agents.answer_checks import CHECKS, Bars
from ragctx.agents.attempts import Attempt, Watch, left
from ragctx.agents.escalating import Escalate
from ragctx.agents.self_route import SelfRoute
from ragctx.corpus import Corpus
from ragctx.errors import BudgetSpent, ConfigError, RequestFailed, UnknownName
from ragctx.models import ModelFacts, Models
from ragctx.strategies import Retrieve
from ragctx.strategies.pruning import WHOLE
from ragctx.types import Answer, Budget, Question, Turn
from ragctx.work import Completion, Failure

REFUSED = "Not in the documents."
RIGHT = "Three months [1]."
FILLER = " ".join(
    f"Clause {n} of the lease concerns matter {n * 7 % 13} of the register kept in {1900 + n}." for n in range(60)
)
CORPUS = Corpus.of({"lease": f"{FILLER} The notice period of the lease is three months. {FILLER}"})
ASKED = Question("What is the notice period of the lease?")
STRANGE = Question("Which zebra won the lottery?")
SMALL = Retrieve(tokens=300, retriever="bm25")
THREE = Escalate(cheap=SMALL, widen=1.5, most=None)


def purposes(reader) -> list[str]:
    return [request.purpose for request in reader.requests]


def test_an_answer_that_passes_is_taken_and_costs_one_call(scripted) -> None:
    reader = scripted(lines=(RIGHT,))
    answer = reader.answer(THREE, ASKED, CORPUS)
    assert (answer.text, answer.strategy, len(reader.requests)) == ("Three months.", "escalate", 1)
    assert answer.notes[0].startswith("retrieve answered, and passed the checks (refusal, ")


def test_three_steps_in_their_order(scripted) -> None:
    reader = scripted(lines=(REFUSED, REFUSED, RIGHT))
    answer = reader.answer(THREE, ASKED, CORPUS)
    assert answer.text == "Three months."
    assert purposes(reader) == ["answer", "answer, wider", "answer, full"]
    assert [note.partition(":")[0] for note in answer.notes[:2]] == [
        "retrieve did not pass", "retrieve(tokens=450) did not pass",
    ]  # fmt: skip
    assert answer.notes[2].startswith("full answered")
    assert answer.coverage[0].share == 1.0


def test_only_what_cannot_be_thrown_away_streams(scripted) -> None:
    reader = scripted(lines=(REFUSED, REFUSED, RIGHT))
    reader.answer(THREE, ASKED, CORPUS)
    assert [request.final for request in reader.requests] == [False, False, True]
    assert all(request.sampling.logprobs for request in reader.requests)


def test_the_wider_answer_is_enough(scripted) -> None:
    reader = scripted(lines=("The fee is 777 crowns [1].", RIGHT))
    answer = reader.answer(THREE, ASKED, CORPUS)
    assert answer.text == "Three months."
    assert "777 stands nowhere in what was read" in answer.notes[0]
    assert len(reader.requests) == 2


def test_a_refusal_is_believed_where_the_documents_are_likely_silent(scripted) -> None:
    reader = scripted(lines=(REFUSED, "Stripes, in 2019."))
    answer = reader.answer(THREE, STRANGE, CORPUS)
    assert not answer.answerable
    assert len(reader.requests) == 1
    assert "the refusal is believed: the documents are" in " ".join(answer.notes)


def test_the_reading_models_null_score_believes_it_too(scripted) -> None:
    from ragctx.readers.scripted import Scripted as Ranker

    class Nothing(Ranker):
        def serve(self, requests, emit):
            return [replace(reply, values=(0.0,) * len(reply.values)) for reply in super().serve(requests, emit)]

    reader = scripted(lines=(REFUSED, RIGHT), ranker=Nothing())
    answer = reader.answer(Escalate(cheap=Retrieve(tokens=300), most=None), ASKED, CORPUS)
    assert not answer.answerable
    assert len(reader.requests) == 1
    assert "nothing that was found looks like an answer" in " ".join(answer.notes)


def test_the_dear_step_is_left_out_over_most(scripted) -> None:
    reader = scripted(lines=(REFUSED,))
    asked = Escalate(cheap=SMALL, most=2.6, widen=1.5)
    answer = reader.answer(asked, ASKED, CORPUS)
    assert len(reader.requests) == 2
    assert "full is left out: its" in " ".join(answer.notes)
    estimate = asked.estimate(ASKED, CORPUS, reader.models)
    assert estimate.prompt.high <= 2.7 * estimate.prompt.low
    assert any("the option most of escalate allows more" in note for note in estimate.notes)


@pytest.mark.parametrize("lines", [(RIGHT,), (REFUSED, RIGHT), (REFUSED,), ("It costs 777 crowns [1].",)])
@pytest.mark.parametrize("strategy", [THREE, Escalate(cheap=SMALL), SelfRoute(tokens=300, retriever="bm25")])
def test_the_bill_is_within_the_estimate(scripted, exact, lines, strategy) -> None:
    reader = scripted(lines=lines, counter=exact(r"\w{1,6}|[^\w\s]"))
    estimate = strategy.estimate(ASKED, CORPUS, reader.models)
    reader.answer(strategy, ASKED, CORPUS)
    assert estimate.prompt.low <= reader.prompt_tokens <= estimate.prompt.high
    assert estimate.calls.low <= len(reader.requests) <= estimate.calls.high
    if len(reader.requests) == 1:
        assert reader.prompt_tokens == pytest.approx(estimate.prompt.expected, rel=0.05)


@pytest.mark.parametrize("tokens", [900, 1200, 2000, 4000])
@pytest.mark.parametrize("strategy", [THREE, SelfRoute(tokens=300, retriever="bm25")])
def test_a_budget_is_never_exceeded(scripted, tokens, strategy) -> None:
    reader = scripted(lines=(REFUSED,), budget=tokens)
    asked = replace(ASKED, budget=Budget(tokens=tokens))
    assert strategy.estimate(asked, CORPUS, reader.models).tokens.high <= tokens
    assert not reader.answer(strategy, asked, CORPUS).answerable


def test_calls_are_kept_to(scripted) -> None:
    reader = scripted(lines=(REFUSED,))
    asked = replace(ASKED, budget=Budget(calls=2))
    answer = reader.answer(THREE, asked, CORPUS)
    assert len(reader.requests) == 2
    assert "full could not answer: the next call needs 1 calls" in " ".join(answer.notes)
    assert THREE.estimate(asked, CORPUS, reader.models).calls.high == 2


def test_a_small_window_leaves_the_whole_text_out(scripted) -> None:
    reader = scripted(lines=(REFUSED,), window=1200)
    answer = reader.answer(THREE, ASKED, CORPUS)
    assert "full is left out: " in " ".join(answer.notes)
    assert "full is left out: " in " ".join(THREE.estimate(ASKED, CORPUS, reader.models).notes)


def test_a_useless_reply_goes_on_and_a_refused_key_does_not(scripted) -> None:
    reader = scripted(lines=("[1] [2]", RIGHT))
    answer = reader.answer(THREE, ASKED, CORPUS)
    assert answer.text == "Three months."
    assert "could not answer: the model cited passages and said nothing" in answer.notes[0]
    with pytest.raises(RequestFailed):
        scripted(lines=(Failure("unauthorised", "no key"),)).answer(THREE, ASKED, CORPUS)
    with pytest.raises(RequestFailed, match="said nothing"):
        scripted(lines=("[1]",)).answer(THREE, ASKED, CORPUS)


def test_a_later_failure_leaves_what_there_is(scripted) -> None:
    reader = scripted(lines=("It costs 777 crowns [1].", Failure("server", "overloaded")))
    answer = reader.answer(THREE, ASKED, CORPUS)
    assert answer.text == "It costs 777 crowns."
    assert "full could not answer: overloaded" in answer.notes


def test_what_fits_whole_is_read_once(scripted) -> None:
    reader = scripted(lines=(REFUSED,))
    tiny = Corpus.of("The notice period of the lease is three months.")
    assert reader.answer(Escalate(cheap=SMALL), ASKED, tiny).notes[-1]
    assert len(reader.requests) == 1


def test_a_follow_up_is_rewritten_once(scripted) -> None:
    reader = scripted(lines=(ASKED.text, REFUSED, REFUSED, RIGHT))
    follow_up = Question("And the notice?", history=(Turn("user", "Who signed the lease?"),))
    answer = reader.answer(THREE, follow_up, CORPUS)
    assert purposes(reader).count("standalone question") == 1
    assert answer.question == follow_up.id
    assert f"read as: {ASKED.text}" in answer.notes


def test_self_route_reads_all_on_any_refusal(scripted) -> None:
    reader = scripted(lines=(REFUSED, "Stripes."))
    answer = reader.answer(SelfRoute(tokens=300, retriever="bm25"), STRANGE, CORPUS)
    assert (answer.text, answer.strategy) == ("Stripes.", "self-route")
    assert purposes(reader) == ["answer", "answer, full"]
    short = scripted(lines=(REFUSED,), window=1200)
    answer = short.answer(SelfRoute(tokens=300, retriever="bm25"), STRANGE, CORPUS)
    assert answer.notes[0].startswith("the refusal stands")


def test_options_are_checked() -> None:
    with pytest.raises(UnknownName, match="did you mean 'refusal'"):
        Escalate(checks=("refusel",))
    with pytest.raises(ConfigError, match="1 at least"):
        Escalate(widen=0.5)
    with pytest.raises(ConfigError, match="carried"):
        Bars(carried=2)


def attempt(text: str = "Three months.", answerable: bool = True, **known) -> Attempt:
    return Attempt("retrieve", Answer(text, answerable=answerable, notes=known.pop("notes", ())), ASKED, **known)


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        ("refusal", attempt(), attempt(answerable=False)),
        ("verbatim", attempt(read="three months"), attempt(read="four weeks")),
        ("certainty", attempt(logprobs=(-0.1, -0.2)), attempt(logprobs=(-0.1, -9.0))),
        ("retrieval", attempt(relevances=(0.01, 0.9)), attempt(relevances=(0.01, 0.02))),
        ("pruned", attempt(), attempt(notes=(WHOLE,))),
    ],
)
def test_every_check_alone(check, good, bad) -> None:
    assert CHECKS[check](good, Bars()) == ""
    assert CHECKS[check](bad, Bars())
    assert CHECKS[check](attempt(), Bars()) == "", "what is not known is not held against an answer"


def test_what_is_left_of_a_budget() -> None:
    watch = Watch(Models({"reader": ModelFacts("m")}), tokens=70, calls=1)
    assert left(Budget(tokens=100, calls=1, money=2.0), watch) == Budget(tokens=30, calls=0, money=2.0)
    assert left(None, watch) is None


def test_a_spent_budget_thrown_in_leaves_what_there_is() -> None:
    """As the engine does where it counts more than the strategy."""
    ended: list[Answer] = []
    work = THREE.read(ASKED, CORPUS, Models({"reader": ModelFacts("m")}))
    next(work)
    work.send([Completion(REFUSED, 300, 5)])
    for _ in range(2):
        try:
            requests = work.throw(BudgetSpent("money", 2, 1))
        except StopIteration as done:
            ended.append(done.value)
            break
        assert requests
    assert [answer.answerable for answer in ended] == [False]
