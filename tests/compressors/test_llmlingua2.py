"""Which words are dropped, whom it asks, and what it says when it is asked in vain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ragctx.compressors.llmlingua2 import LLMLingua2
from ragctx.errors import ConfigError, RequestFailed
from ragctx.models import EstimatedCounter, ModelFacts, Models
from ragctx.readers.scripted import Scripted, WordCounter
from ragctx.types import Context, Passage, Question, Span
from ragctx.work import Relevances, Rerank, run

LEASE = "The rent, as everybody knows, is 1,250.50 crowns a month, due on the first."
NOTES = "Dogs are welcome in the yard. Cats are not mentioned anywhere at all."
BOTH = Context(tuple(Passage(text, (Span(name, 0, len(text)),), name) for name, text in (("a", LEASE), ("b", NOTES))))
KINDS = frozenset({"Rerank", "Prune", "Words"})


class Telling(Scripted):
    """A ranker that weighs words by their length, whatever is asked."""

    @property
    def facts(self):
        return replace(super().facts, kinds=KINDS)

    def serve(self, requests, emit):
        self._note(*requests)
        assert all(isinstance(request, Rerank) for request in requests)
        return [
            Relevances((0.5,), keeps=tuple(tuple(min(1.0, (e - s) / 20) for s, e in units) for units in request.units))
            for request in requests
        ]


def shorten(compressor, budget, *, ranker=None, encoder=None, question="Are dogs welcome?", context=BOTH):
    ranker = ranker or Telling()
    roles = {"reader": ModelFacts("reader", WordCounter()), "ranker": ranker.facts}
    models = Models(roles | ({"encoder": encoder.facts} if encoder else {}))

    def serve(requests):
        backend = encoder if encoder and requests[0].role == "encoder" else ranker
        return backend.serve(requests, lambda i, text: None)

    return run(compressor.compress(Question(question), context, budget, models), serve)


def test_the_words_that_tell_most_stay_in_their_order():
    found = shorten(LLMLingua2(), 8)  # a number is five words and marks
    assert [p.text for p in found.passages] == ["everybody 1,250.50", "mentioned anywhere"]
    assert {out.reason for out in found.dropped} == {"words that tell less: over the token budget"}
    assert found.notes == ()


def test_numbers_and_patterns_stay_whatever_they_weigh():
    text = "Section 4 says that everybody pays tremendous amounts under clause 7b."
    context = Context((Passage(text, (Span("c", 0, len(text)),)),))
    assert "4" in shorten(LLMLingua2(numbers=True), 4, context=context).passages[0].text.split()
    kept = shorten(LLMLingua2(patterns=(r"clause \d\w?",)), 4, context=context).passages[0].text
    assert "clause 7b" in kept


def test_weights_are_asked_for_passage_by_passage_and_serve_every_question():
    ranker = Telling()
    shorten(LLMLingua2(), 6, ranker=ranker)
    shorten(LLMLingua2(), 9, ranker=ranker, question="What is the rent?")
    first, second = ranker.calls
    assert first == second
    assert [request.texts for request in first] == [(LEASE,), (NOTES,)]
    assert {request.query for request in first} == {""}
    words = [LEASE[start:end] for start, end in first[0].units[0]]
    assert "1,250.50" in words
    assert all(word == word.strip() for word in words)


def test_a_ranker_that_reads_questions_is_given_it_and_a_note_says_so():
    ranker = Scripted()
    found = shorten(LLMLingua2(), 3, ranker=ranker)
    assert found.passages[-1].text == "Dogs are welcome"
    assert {request.query for [*requests] in ranker.calls for request in requests} == {"Are dogs welcome?"}
    assert any("not trained to weigh words" in note for note in found.notes)


@pytest.mark.parametrize("encoder", [None, Scripted()])
def test_documents_are_chosen_by_the_question_first(encoder):
    ranker = Telling()
    found = shorten(LLMLingua2(choose_documents=True, coarse=1), 5, ranker=ranker, encoder=encoder)
    assert [p.source for p in found.passages] == ["b"]
    assert [request.texts for request in ranker.calls[0]] == [(NOTES,)]
    assert {out.reason for out in found.dropped if out.span.document == "a"} == {
        "over the token budget: the passage is less like the question than others"
    }
    assert any("shared words" in note for note in found.notes) is (encoder is None)
    assert found.signals["passages_chosen"] == 1


def test_nobody_is_asked_where_everything_fits_or_nothing_may_stay():
    ranker = Telling()
    assert shorten(LLMLingua2(), 500, ranker=ranker).passages == BOTH.passages
    assert shorten(LLMLingua2(), 0, ranker=ranker).passages == ()
    assert ranker.calls == []


@pytest.mark.parametrize("kinds", [frozenset({"Rerank"}), frozenset({"Generate"})])
def test_a_ranker_that_cannot_weigh_words_is_refused(kinds):
    models = Models({"reader": ModelFacts("r"), "ranker": ModelFacts("plain", kinds=kinds)})
    with pytest.raises(ConfigError, match=r"plain ranks texts only.*name one"):
        run(LLMLingua2().compress(Question("?"), BOTH, 5, models))
    with pytest.raises(ConfigError, match="name one"):
        LLMLingua2().estimate(900, 3, 8, 100, Models({"reader": ModelFacts("r")}))


def test_a_ranker_without_tokens_of_its_own_gets_plain_words():
    ranker = Telling()
    facts = replace(ranker.facts, counter=EstimatedCounter())
    models = Models({"reader": ModelFacts("reader", WordCounter()), "ranker": facts})
    text = "通知期间为三个月。 The rent is ten crowns."
    context = Context((Passage(text, (Span("c", 0, len(text)),)),))
    run(LLMLingua2().compress(Question("?"), context, 5, models), lambda requests: ranker.serve(requests, print))
    words = [text[start:end] for start, end in ranker.calls[0][0].units[0]]
    assert words[:3] == ["通", "知", "期"]
    assert words[-3:] == ["ten", "crowns", "."]


@pytest.mark.parametrize("weights", [(float("nan"),) * 40, (0.5,), (2.0,) * 40])
def test_weights_that_are_none_are_an_error(weights):
    models = Models({"reader": ModelFacts("reader", WordCounter()), "ranker": Telling().facts})

    def serve(requests):
        return [Relevances((0.5,), keeps=(weights[: len(request.units[0])],)) for request in requests]

    with pytest.raises(RequestFailed, match="weights from 0 to 1"):
        run(LLMLingua2().compress(Question("?"), BOTH, 5, models), serve)


@pytest.mark.parametrize("options", [{"coarse": 0.5}, {"coarse": float("nan")}, {"patterns": ("(a+)+",)}])
def test_options_that_make_no_sense(options):
    with pytest.raises(ConfigError):
        LLMLingua2(**options)


def test_what_it_says_beforehand():
    models = Models({"reader": ModelFacts("r"), "ranker": Telling().facts, "encoder": Scripted().facts})
    [line] = LLMLingua2().estimate(1000, 10, 8, 100, models)
    assert (line.role, line.prompt.expected, line.calls.expected) == ("ranker", 1000, 10)
    encoder, ranker = LLMLingua2(choose_documents=True).estimate(1000, 10, 8, 100, models)
    assert (encoder.role, ranker.role) == ("encoder", "ranker")
    assert ranker.prompt.expected == pytest.approx(300)
    assert LLMLingua2().estimate(90, 10, 8, 100, models) == ()
