"""The second look: when it is taken, what it finds, what it may change, and that a policy must ask for it."""

from __future__ import annotations

from importlib.resources import files

import pytest

from ragctx.corpus import Corpus
from ragctx.errors import ConfigError
from ragctx.models import ModelFacts, Models
from ragctx.readers.scripted import Scripted
from ragctx.routing import Policy, decide, second
from ragctx.types import Candidate, Decision, Estimate, Question, Turn
from ragctx.work import Failure, Recorder, Relevances, run

SHIPPED = files("ragctx.routing").joinpath("policy.toml").read_text("utf-8")
MODIFIER = """
[[modifiers]]
name = "a passage answers"
strategy = "retrieve"
signal = "reranker_max"
points = [[0.0, -0.3], [1.0, 0.3]]
"""


def policy(margin: float = 0.9, modifier: str = MODIFIER) -> Policy:
    return Policy.parse(SHIPPED.replace("\nmargin =", f"\nsecond_look = {margin}\nmargin =", 1) + modifier)


def arms(*scores: float, taken: int = 0, out: int | None = None) -> Decision:
    made = [
        Candidate(
            f"s{at}", Estimate(), score, 0.1, score, "too long" if at == out else "" if at == taken else "score 0"
        )
        for at, score in enumerate(scores)
    ]
    return Decision(f"s{taken}", "why", {}, tuple(made))


@pytest.fixture
def ranking(models: Models) -> Models:
    return Models({**models.roles, "ranker": Scripted(name="ranker").facts})


def looked_at(question: Question, corpus: Corpus, models: Models, reply):
    asked = Recorder(reply)
    return run(second.look(question, corpus, models), asked), asked


def test_the_shipped_policy_never_looks_twice() -> None:
    assert not Policy.load().looks_twice
    assert Policy.load().second_look == 0
    assert policy().looks_twice


@pytest.mark.parametrize(("margin", "modifier", "said"), [
    (0.1, "", "it would be paid for nothing"),
    (-0.1, MODIFIER, "second_look: must not be below 0"),
])  # fmt: skip
def test_a_policy_that_makes_no_sense(margin: float, modifier: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        policy(margin, modifier)


def test_what_is_known_late_cannot_say_how_likely_the_documents_do_not_answer() -> None:
    text = SHIPPED.replace("[unanswerable.weights]\n", "[unanswerable.weights]\nall_pruned = 1.0\n")
    assert text != SHIPPED
    with pytest.raises(ConfigError, match="all_pruned: is known only after a second look"):
        Policy.parse(text)


@pytest.mark.parametrize(("made", "margin", "unsure"), [
    (arms(0.6, 0.58), 0.05, True),
    (arms(0.6, 0.58), 0.0, False),
    (arms(0.6, 0.5), 0.05, False),
    (arms(0.6, 0.58, taken=1), 0.05, True),
    (arms(0.6, 0.5, taken=1), 0.05, False),  # taken for another reason
    (arms(0.6, 0.58, out=1), 0.05, False),
    (arms(0.6), 0.05, False),
    (Decision("", "none fits"), 0.05, False),
])  # fmt: skip
def test_when_a_decision_is_unsure(made: Decision, margin: float, unsure: bool) -> None:
    assert second.unsure(made, margin) is unsure


def test_it_asks_once_and_reads_the_reply(corpus: Corpus, ranking: Models) -> None:
    def says(request):
        return Relevances(
            tuple(0.1 * at for at in range(len(request.texts))), keeps=tuple((0.05,) * len(u) for u in request.units)
        )

    (found, note), asked = looked_at(Question("Which bank holds the deposit?"), corpus, ranking, says)
    [[request]] = asked.batches
    assert (request.role, request.purpose, request.tolerant) == ("ranker", "second look", True)
    assert len(request.texts) == len(request.units) == len(request.titles) > 1
    for text, units in zip(request.texts, request.units, strict=True):
        assert all(text[start:end].strip() == text[start:end] for start, end in units)
    assert found == {"reranker_max": round(0.1 * (len(request.texts) - 1), 4), "all_pruned": 1.0}
    assert note == ""


def test_one_sentence_that_is_needed_is_enough(corpus: Corpus, ranking: Models) -> None:
    def says(request):
        keeps = [(0.0,) * len(units) for units in request.units]
        keeps[-1] = (0.4, *keeps[-1][1:])
        return Relevances((0.2,) * len(request.texts), keeps=tuple(keeps))

    (found, _), _ = looked_at(Question("Which bank holds the deposit?"), corpus, ranking, says)
    assert found["all_pruned"] == 0


def test_a_ranker_that_weighs_no_sentences_tells_one_signal(corpus: Corpus) -> None:
    models = Models({"reader": ModelFacts("m"), "ranker": ModelFacts("r", kinds=frozenset({"Rerank"}))})
    reply = lambda request: Relevances((0.3,) * len(request.texts))  # noqa: E731
    (found, _), asked = looked_at(Question("Which bank holds the deposit?"), corpus, models, reply)
    assert found == {"reranker_max": 0.3}
    assert asked.batches[0][0].units == ()


def test_a_ranker_that_fails_is_told_of(corpus: Corpus, ranking: Models) -> None:
    failing = lambda request: Failure("server", "down")  # noqa: E731
    (found, note), _ = looked_at(Question("Which bank holds the deposit?"), corpus, ranking, failing)
    assert found == {}
    assert "the ranker failed (down)" in note


def test_a_follow_up_is_looked_at_with_the_turn_before(corpus: Corpus, ranking: Models) -> None:
    question = Question("And who signed it?", history=(Turn("user", "Which bank holds the deposit?"),))
    reply = lambda request: Relevances((0.3,) * len(request.texts))  # noqa: E731
    _, asked = looked_at(question, corpus, ranking, reply)
    assert asked.batches[0][0].query == "Which bank holds the deposit? And who signed it?"


def test_what_was_seen_moves_the_choice(corpus: Corpus, ranking: Models, two) -> None:
    rule, question = policy(), Question("Which bank holds the deposit?")
    first = decide(question, corpus, ranking, two, rule)
    assert second.unsure(first, rule.second_look)
    taken = {}
    for value in (0.0, 1.0):
        found = {"reranker_max": value, "all_pruned": 1 - value}
        again = decide(question, corpus, ranking, two, rule, known=found)
        made = second.settled(first, again, found, rule.second_look)
        assert second.looked(made)
        assert not second.unsure(made, rule.second_look)
        assert f"best passage {value:.2f} likely to answer" in made.why
        taken[value] = made.strategy
    assert taken == {0.0: "full", 1.0: "retrieve"}


def test_only_those_that_were_near_may_be_taken() -> None:
    first, again = arms(0.6, 0.58, 0.1), arms(0.3, 0.5, 0.9, taken=2)
    made = second.settled(first, again, {"reranker_max": 0.5}, 0.05)
    assert made.strategy == "s1"
    assert [one.strategy for one in made.candidates] == ["s1", "s0", "s2"]
    gone = second.settled(first, Decision("", "none fits"), {"reranker_max": 0.5}, 0.05)
    assert gone == first


def test_a_plan_says_that_it_may_follow(ranking: Models, models: Models) -> None:
    assert "s0, s1 are within 0.05: a second look decides" in second.announced(arms(0.6, 0.58), 0.05, ranking).why
    assert "no model ranks passages" in second.announced(arms(0.6, 0.58), 0.05, models).why
    assert second.announced(arms(0.6, 0.5), 0.05, ranking).why == "why"
