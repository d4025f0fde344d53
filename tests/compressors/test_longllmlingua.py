"""LongLLMLingua step by step: what is asked, what ranks, what is kept, and what goes wrong."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest

from ragctx.compressors import allocation
from ragctx.compressors.longllmlingua import LongLLMLingua
from ragctx.compressors.ordering import both_ends
from ragctx.compressors.tokens import Token
from ragctx.contracts import Costed, Recovering
from ragctx.errors import ConfigError, DoesNotFit, RequestFailed
from ragctx.models import EstimatedCounter, ModelFacts, Models
from ragctx.readers import open_model
from ragctx.readers.local import missing
from ragctx.readers.scripted import Scripted
from ragctx.types import Context, Document, Passage, Question, Span
from ragctx.work import Failure, Score, Scores, run

WORDS = Scripted().facts.counter
TEXTS = {
    "rent": "The rent of the wharf is 1,250 crowns a month. " + "It is due on the first day of it. " * 3,
    "pets": "Dogs are welcome in the yard. " + "Cats were never mentioned by anybody. " * 4,
    "keys": "Two keys were handed over in 2019. " + "Locks are changed at the cost of him who lost one. " * 3,
}
QUESTION = Question("What is the rent of the wharf?")
FORMS = ("fast", "iterative")


def context(texts=TEXTS):
    return Context(tuple(Passage(text, (Span(name, 0, len(text)),), name, score=0.5) for name, text in texts.items()))


class Scorer:
    """Says what `value(prefix, target, number)` is, a log-probability of each target token; keeps what was asked."""

    def __init__(self, value=lambda before, token: -1.0, window=None):
        self.value, self.asked, self.yields = value, [], 0
        facts = ModelFacts("scorer", WORDS, window, kinds=frozenset({"Score"}))
        self.models = Models({"reader": ModelFacts("reader", WORDS), "scorer": facts})

    def __call__(self, requests):
        self.yields += 1
        self.asked += requests
        return [self.reply(request) for request in requests]

    def reply(self, request):
        ids = (*request.prefix, *request.target)
        said = tuple(self.value(ids[:n], ids[n]) for n in range(len(ids)))
        before = said[: len(request.prefix)] if request.whole else ()
        return Scores(said[len(request.prefix) :], request.target, before=before)

    def compress(self, compressor, budget, given=None, question=QUESTION):
        return run(compressor.compress(question, given or context(), budget, self.models), self)


def ids(text):
    return tuple(WORDS.pieces(text)[0])


def asks(name):
    """A scorer to which the question is likely after the texts that hold a word, and likely words after a question."""
    [word], question = ids(name), ids(QUESTION.text)

    def value(before, token):
        return -0.5 if token in question and word in before else -3.0

    return Scorer(value)


def kept_words(found):
    return WORDS.count("\n\n".join(passage.text for passage in found.passages))


@pytest.mark.parametrize("form", FORMS)
class TestBothForms:
    def test_the_likeliest_documents_are_kept_best_first(self, form):
        found = asks("Dogs").compress(LongLLMLingua(form, coarse=0), 20)
        assert [passage.source for passage in found.passages] == ["pets"]
        found = asks("keys").compress(LongLLMLingua(form), 60)
        assert next(passage.source for passage in found.passages) == "keys"
        assert found.passages[0].score > found.passages[1].score

    def test_all_passages_are_ranked_in_one_batch_on_ids(self, form):
        scorer = Scorer()
        scorer.compress(LongLLMLingua(form), 30)
        ranking = [request for request in scorer.asked if request.purpose == "rank"]
        assert len(ranking) == 3
        assert all(isinstance(request, Score) and request.role == "scorer" for request in scorer.asked)
        for request, text in zip(ranking, TEXTS.values(), strict=True):
            at = request.prefix.index(ids(text)[0])
            assert request.prefix[at : at + len(ids(text))] == ids(text)
            assert request.target[: len(ids(QUESTION.text))] == ids(QUESTION.text)
            assert len(request.target) > len(ids(QUESTION.text))
            assert request.whole is (form == "fast")

    def test_tokens_that_the_question_makes_likelier_stay(self, form):
        question, [crowns] = ids(QUESTION.text), ids("crowns")

        def value(before, token):
            asked = before[: len(question) + 3]
            return -0.1 if token == crowns and set(question) <= set(asked) else -4.0

        found = Scorer(value).compress(LongLLMLingua(form), 3, context({"rent": TEXTS["rent"]}))
        assert "crowns" in found.passages[0].text

    @pytest.mark.parametrize("budget", [1, 2, 9, 40, 90])
    def test_the_budget_is_filled_and_never_exceeded(self, form, budget):
        assert kept_words(Scorer().compress(LongLLMLingua(form), budget)) == budget

    def test_what_fits_is_returned_without_asking(self, form):
        scorer = Scorer()
        assert scorer.compress(LongLLMLingua(form), 10_000).passages == context().passages
        assert scorer.compress(LongLLMLingua(form), 0).passages == ()
        assert scorer.asked == []

    def test_numbers_are_kept(self, form):
        text = TEXTS["keys"] + TEXTS["rent"]
        found = Scorer().compress(LongLLMLingua(form, numbers=True), 12, context({"all": text}))
        assert "2019" in found.passages[0].text
        assert "1,250" in found.passages[0].text
        found = Scorer().compress(LongLLMLingua(form, patterns=["[Dd]ogs"]), 3, context({"all": TEXTS["pets"]}))
        assert "Dogs" in found.passages[0].text

    def test_no_half_words(self, form):
        whole = set(TEXTS["rent"].replace(".", " ").replace(",", " ").split())
        found = Scorer().compress(LongLLMLingua(form), 9, context({"rent": TEXTS["rent"]}))
        assert set(found.passages[0].text.replace(".", " ").replace(",", " ").split()) <= whole

    def test_a_short_window_is_never_exceeded(self, form):
        scorer = Scorer(window=80)
        text = " ".join(TEXTS.values()) * 4
        found = scorer.compress(LongLLMLingua(form, segment=20), 150, context({"long": text, **TEXTS}))
        assert kept_words(found) == 150
        assert max(len(request.prefix) + len(request.target) for request in scorer.asked) <= 80

    @pytest.mark.parametrize("window", [70, 97, 256])
    def test_any_window_that_leaves_room_will_do(self, form, window):
        scorer = Scorer(window=window)
        found = scorer.compress(LongLLMLingua(form), 150, context({"long": " ".join(TEXTS.values()) * 6, **TEXTS}))
        assert kept_words(found) == 150
        assert max(len(request.prefix) + len(request.target) for request in scorer.asked) <= window

    def test_a_question_that_takes_the_window_is_an_error(self, form):
        with pytest.raises(DoesNotFit, match="window of 80"):
            Scorer(window=80).compress(LongLLMLingua(form), 30, question=Question("rent " * 80))

    @pytest.mark.parametrize("wrong", [math.nan, -math.inf])
    def test_numbers_that_are_none_are_an_error(self, form, wrong):
        with pytest.raises(RequestFailed, match="no numbers"):
            Scorer(lambda before, token: wrong).compress(LongLLMLingua(form), 30)

    def test_a_scorer_that_says_too_little_is_an_error(self, form):
        scorer = Scorer()
        scorer.reply = lambda request: Scores((-1.0,))
        with pytest.raises(RequestFailed, match="log-probabilities for"):
            scorer.compress(LongLLMLingua(form), 30)

    def test_a_scorer_that_fails_is_an_error(self, form):
        scorer = Scorer()
        scorer.reply = lambda request: Failure("malformed", "NaN")
        with pytest.raises(RequestFailed, match="NaN"):
            scorer.compress(LongLLMLingua(form), 30)


class TestFast:
    def test_two_batches_and_the_ranking_pass_gives_the_plain_scores(self):
        scorer = Scorer()
        scorer.compress(LongLLMLingua(coarse=0), 30)
        assert scorer.yields == 2
        again = [request for request in scorer.asked if request.purpose == "contrast"]
        assert [request.target for request in again] == [ids(TEXTS["rent"])]
        assert all(set(ids(QUESTION.text)) <= set(request.prefix) for request in again)

    def test_a_long_passage_is_ranked_in_parts_and_stays_in_order(self):
        scorer = Scorer()
        given = context({"long": " ".join(TEXTS.values())})
        found = scorer.compress(LongLLMLingua(section=40, coarse=0), 50, given)
        assert len([request for request in scorer.asked if request.purpose == "rank"]) > 2
        assert list(found.passages[0].spans) == sorted(found.passages[0].spans)


class TestIterative:
    def test_two_requests_a_segment_each_after_what_was_kept_before(self):
        scorer = Scorer()
        compressor = LongLLMLingua("iterative", segment=25, order="given", dynamic=0.0)
        scorer.compress(compressor, 60)
        pairs = [request for request in scorer.asked if request.purpose == "contrast"]
        pairs = list(zip(pairs[::2], pairs[1::2], strict=True))
        assert len(pairs) == scorer.yields - 1
        assert [i for given, _ in pairs for i in given.target] == [i for text in TEXTS.values() for i in ids(text)]
        for (given, plain), (after, _) in itertools.pairwise(pairs):
            assert given.target == plain.target
            assert len(given.target) <= 25
            assert len(given.prefix) > len(plain.prefix)
            assert after.prefix[: len(given.prefix)] == given.prefix
            added = after.prefix[len(given.prefix) :]
            assert set(added) <= set(given.target)
            assert 0 < len(added) < len(given.target)


class TestOrder:
    def test_given_and_both_ends(self):
        order = LongLLMLingua(order="given")
        assert [passage.source for passage in asks("keys").compress(order, 60).passages] == ["rent", "pets", "keys"]
        assert asks("keys").compress(order, 60).passages[0].score == 0.5
        assert next(p.source for p in asks("keys").compress(LongLLMLingua(order="ends"), 60).passages) == "keys"
        assert both_ends([1, 2, 3, 4]) == [1, 3, 4, 2]


class TestAllocation:
    def tokens(self, passage, weights):
        return [Token(passage, n, n + 1, n, n + 1, weight) for n, weight in enumerate(weights)]

    def test_every_beginning_holds_each_group_s_share(self):
        groups = [self.tokens(n, range(100)) for n in range(3)]
        wanted = allocation.preferred(groups, allocation.offsets(3, 0.2))
        counts = [sum(token.passage == n for token in wanted[:150]) for n in range(3)]
        assert counts == pytest.approx([70, 50, 30], abs=1)
        assert len(wanted) == 300

    def test_shares_stay_between_nothing_and_all(self):
        groups = [self.tokens(n, range(100)) for n in range(2)]
        wanted = allocation.preferred(groups, allocation.offsets(2, 1.0))
        assert {token.passage for token in wanted[:100]} == {0}

    def test_the_best_of_a_group_first_and_forced_ones_before(self):
        one = self.tokens(0, [1.0, 3.0, 2.0])
        assert [t.start for t in allocation.preferred([one], [0.0])] == [1, 2, 0]
        assert [t.start for t in allocation.kept(one, 0.5)] == [1, 2]
        one[0] = replace(one[0], forced=True)
        assert [t.start for t in allocation.kept(one, 0.3)] == [0]

    def test_no_rank_no_shift(self):
        assert allocation.offsets(0, 0.3) == []
        assert allocation.offsets(2, 0.25) == [0.25, -0.25]


class TestReasons:
    def test_ranks_and_words(self):
        found = asks("Dogs").compress(LongLLMLingua(coarse=0), 20)
        reasons = {out.span.document: out.reason for out in found.dropped}
        assert "rank 2 of 3" in reasons["rent"]
        assert "likelier" in reasons["pets"]
        assert 0 < found.signals["kept_share"] < 0.5


class TestOptions:
    @pytest.mark.parametrize(
        "options",
        [
            {"form": "slow"},
            {"order": "best"},
            {"dynamic": 1.5},
            {"coarse": -1},
            {"segment": 0},
            {"patterns": ["(a+)+"]},
        ],
    )
    def test_what_makes_no_sense_is_refused(self, options):
        with pytest.raises(ConfigError):
            LongLLMLingua(**options)

    def test_who_cannot_score_is_told_of(self):
        facts = ModelFacts("chat", WORDS)
        work = LongLLMLingua().compress(QUESTION, context(), 9, Models({"reader": facts, "scorer": facts}))
        with pytest.raises(ConfigError, match="chat cannot score"):
            run(work)

    def test_who_does_not_tell_its_tokens_is_told_of(self):
        facts = ModelFacts("far", EstimatedCounter(), kinds=frozenset({"Score"}))
        work = LongLLMLingua().compress(QUESTION, context(), 9, Models({"reader": facts, "scorer": facts}))
        with pytest.raises(ConfigError, match="does not tell its tokens"):
            run(work)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("budget", [40, 200, 700])
def test_the_estimate_holds_what_is_asked(form, budget):
    texts = {f"d{n}": text for n in range(10) for text in [TEXTS[("rent", "pets", "keys")[n % 3]] + f"No {n}."]}
    scorer, given = Scorer(), context(texts)
    scorer.compress(LongLLMLingua(form), budget, given)
    took = sum(len(request.prefix) + len(request.target) for request in scorer.asked)
    total = WORDS.count("\n\n".join(texts.values()))
    compressor = LongLLMLingua(form)
    lines = compressor.estimate(total, len(texts), WORDS.count(QUESTION.text), budget, scorer.models)
    if budget >= total:
        assert (took, lines) == (0, ())
        return
    [line] = lines
    assert line.role == "scorer"
    assert line.prompt.low <= took <= line.prompt.high
    assert line.calls.low <= len(scorer.asked) <= line.calls.high


def test_it_says_what_it_costs_and_recovers():
    assert isinstance(LongLLMLingua(), Costed)
    assert isinstance(LongLLMLingua(), Recovering)
    whole = Passage("ten gold crowns", (Span("a", 0, 15),))
    left = whole.narrowed([(0, 3), (9, 15)])
    assert LongLLMLingua().recover("ten crowns", Context((whole,)), Context((left,))) == "ten gold crowns"


@pytest.mark.slow
@pytest.mark.skipif(bool(missing("smollm2-135m")), reason="the scorer's weights are not here")
def test_with_a_real_scorer():
    reader = open_model("local:smollm2-135m", threads=1)
    models = Models({"reader": reader.facts, "scorer": reader.facts})
    texts = {
        "pets": "Tenants may keep one dog or two cats in the house. Birds are allowed in cages, and snakes are not. 🐍",
        "rent": "The monthly rent for the harbour warehouse is 1,250 crowns, payable on the first working day.",
        "报告": "合同的通知期间为三个月。双方同意每年五月付款。",
        "mail": "Letters are delivered to the porter, who sorts them every morning before nine o'clock.",
    }
    asked = Question("How much is the rent for the warehouse?")
    counter = reader.facts.counter
    for form in FORMS:
        for budget in (10, 40, 70):
            work = LongLLMLingua(form, coarse=20).compress(asked, context(texts), budget, models)
            found = run(work, lambda requests: reader.serve(requests, lambda i, text: None))
            size = counter.count("\n\n".join(passage.text for passage in found.passages))
            assert budget * 0.85 <= size <= budget
            assert found.passages[0].source == "rent"
            for passage in found.passages:
                assert Passage.cut(Document(passage.source, texts[passage.source]), passage.spans).text == passage.text
    reader.close()
