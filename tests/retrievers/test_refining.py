"""Retrievers that refine another one: what they search with, what they cut, and what a failing model leaves."""

import zlib
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from ragctx import registry
from ragctx.contracts import CostedRetriever
from ragctx.corpus import Corpus
from ragctx.encoders import open_encoder
from ragctx.errors import BudgetSpent, ConfigError
from ragctx.models import ModelFacts, Models
from ragctx.retrievers.adaptive import AdaptiveK
from ragctx.retrievers.asking import fused
from ragctx.retrievers.decomposed import Decomposition
from ragctx.retrievers.expanded import QueryExpansion
from ragctx.retrievers.focused import FocusMode
from ragctx.retrievers.hypothetical import HypotheticalDocuments
from ragctx.retrievers.rationale import RationaleRanking
from ragctx.strategies import Retrieve
from ragctx.types import Budget, Context, Passage, Question, Span
from ragctx.work import Completion, Embed, Failure, Generate, Relevances, run

TEXTS = (
    "The notice period is three months. The kitchen was painted in May. Cats sleep on the sofa.",
    "Dogs and cats are welcome. The garden has an old pear tree.",
    "Rent is due on the first of the month. The landlord is Ada.",
    "The flat has four rooms. The cellar is damp.",
)
WRITING = [QueryExpansion(over="bm25"), HypotheticalDocuments(over="bm25"), Decomposition(over="bm25")]
PETS = Question("May animals be kept?")


class Bag:
    """Words counted into dimensions."""

    def encode(self, texts):
        rows = np.zeros((len(texts), 256), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().replace(".", " ").replace("?", " ").split():
                row[zlib.crc32(word.encode()) % 256] += 1
        return rows


@dataclass
class World:
    """A reader with one reply, a ranker with a table of words, and a toy encoder."""

    counter: object
    says: object = ""
    table: dict = field(default_factory=dict)
    fails: tuple = ()
    asked: list = field(default_factory=list)
    rounds: list = field(default_factory=list)
    encoder: object = field(default_factory=lambda: open_encoder(Bag()))
    window: int = 4096

    @property
    def models(self):
        ranker = ModelFacts("ranker", kinds=frozenset({"Rerank"}))
        reader = ModelFacts("reader", counter=self.counter, window=self.window)
        return Models({"reader": reader, "ranker": ranker, "encoder": self.encoder.facts})

    def __call__(self, requests):
        self.rounds.append(requests)
        self.asked += requests
        return [self.reply(request) for request in requests]

    def reply(self, request):
        if type(request) in self.fails and request.tolerant:
            return Failure("server", "out of order")
        if isinstance(request, Embed):
            return self.encoder.serve([request], lambda i, text: None)[0]
        if not isinstance(request, Generate):
            values = (max((v for w, v in self.table.items() if w in text), default=0.1) for text in request.texts)
            return Relevances(tuple(values))
        said = self.says
        return said if isinstance(said, Failure) else Completion(said, self.counter.render(request.messages), 3)

    def find(self, how, question=PETS, limit=1, corpus=None):
        return run(how.retrieve(question, corpus or Corpus.of(*TEXTS), limit, self.models), self)

    @property
    def told(self):
        return [request for request in self.asked if isinstance(request, Generate)]


@pytest.fixture
def world(exact):
    return lambda says="", **given: World(exact(), says, **given)


def texts(context):
    return [passage.text for passage in context.passages]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        (QueryExpansion(over="bm25"), "pets, dogs, cats, welcome"),
        (HypotheticalDocuments(over="bm25"), "Dogs and cats are welcome in this flat."),
        (Decomposition(over="bm25"), "1. Are dogs welcome?\n2. Are cats welcome?"),
    ],
)
def test_words_that_the_question_lacks_find_the_passage(world, how, says):
    question = Question("Which animals does Ada allow?")
    assert "Ada" in texts(world("none").find(how, question))[0]
    here = world(says)
    found = here.find(how, question, 2)
    assert any(text.startswith("Dogs") for text in texts(found))
    assert all(Corpus.of(*TEXTS).text(p.spans[0]) == p.text for p in found.passages)
    assert [request.purpose for request in here.told] != []
    assert found.signals["search_tokens"] > 0


@pytest.mark.parametrize("how", WRITING, ids=lambda how: how.name)
@pytest.mark.parametrize("says", [Failure("server", "out of order"), "", "```"])
def test_a_call_that_fails_leaves_the_plain_search(world, how, says):
    here, question = world(says), Question("When is rent due?")
    found = here.find(how, question)
    assert texts(found) == [TEXTS[2]]
    if not isinstance(how, HypotheticalDocuments) or says != "```":
        assert any(note.startswith("no ") for note in found.notes)


@pytest.mark.parametrize("how", WRITING, ids=lambda how: how.name)
def test_a_budget_or_a_window_without_room_is_told_and_nothing_is_asked(world, how):
    here = world("cats")
    found = here.find(how, Question("When is rent due?", budget=Budget(tokens=20)))
    assert not here.told
    assert any("budget" in note for note in found.notes)
    narrow = world("cats", window=30)
    assert narrow.find(how, Question("When is rent due?")).passages
    assert not narrow.told


@pytest.mark.parametrize("how", [*WRITING, RationaleRanking(over="bm25")], ids=lambda how: how.name)
@pytest.mark.parametrize("budget", [*(Budget(tokens=n) for n in range(140, 460, 20)), Budget(calls=1)])
def test_what_is_searched_with_never_costs_the_answer(world, how, budget):
    """Where plain search has an answer, so has the refined one: keywords are for what the answer leaves."""
    here, asked, corpus = world("three months"), Question("When is rent due?", budget=budget), Corpus.of(*TEXTS)
    plain = Retrieve(retriever="bm25", rerank=False, prune=None, max_output=16)
    try:
        run(plain.read(asked, corpus, here.models), here)
    except BudgetSpent:
        return
    here.asked.clear()
    refined = replace(plain, retriever=how)
    plan = refined.estimate(asked, corpus, here.models)
    assert run(refined.read(asked, corpus, here.models), here).text
    billed = sum(here.counter.render(request.messages) for request in here.told)
    assert plan.prompt.low <= billed <= plan.prompt.high
    assert plan.calls.low <= len(here.told) <= (budget.calls or 2)


@pytest.mark.parametrize(
    "how", [*WRITING, RationaleRanking(over="bm25"), FocusMode(over="bm25"), AdaptiveK(over="bm25")]
)
def test_what_it_costs_holds(world, how):
    here, corpus, question = world("Are dogs welcome? Yes, and cats."), Corpus.of(*TEXTS), Question("Are cats welcome?")
    assert isinstance(how, CostedRetriever)
    lines = {line.role: line for line in how.lines(question, corpus, 3, here.models)}
    here.find(how, question, 3, corpus)
    billed = sum(here.counter.render(request.messages) for request in here.told)
    assert ("reader" in lines) == bool(here.told)
    if here.told:
        assert lines["reader"].prompt.low <= billed <= lines["reader"].prompt.high
        assert lines["reader"].calls.high >= len(here.told)


def test_the_plan_of_a_rationale_holds_where_the_longest_chunks_are_found(world):
    here, asked, how = world("cats are fine", window=100_000), Question("Are cats welcome?"), RationaleRanking("bm25")
    long = [f"Cats are welcome to the house and garden, {'and so are dogs, ' * 60}{n}." for n in range(4)]
    corpus = Corpus.of(*[f"Note {n}." for n in range(300)], *long)
    [line] = [line for line in how.lines(asked, corpus, 3, here.models) if line.role == "reader"]
    here.find(how, asked, 3, corpus)
    assert line.prompt.low <= here.counter.render(here.told[0].messages) <= line.prompt.high
    nothing = Question("Xylophone?")
    [line] = [line for line in how.lines(nothing, corpus, 3, here.models) if line.role == "reader"]
    here.asked.clear()
    here.find(how, nothing, 3, corpus)
    assert not here.told
    assert line.prompt.low == 0


def test_without_a_reader_it_searches_plainly_and_costs_nothing(world):
    here = world()
    models = Models({"encoder": here.encoder.facts})
    for how in WRITING:
        found = run(how.retrieve(Question("When is rent due?"), Corpus.of(*TEXTS), 1, models), here)
        assert texts(found) == [TEXTS[2]]
        assert any("no model can write" in note for note in found.notes)
        assert how.lines(PETS, Corpus.of(*TEXTS), 1, models) == ()


@pytest.mark.parametrize("how", [*WRITING, RationaleRanking(over="bm25")], ids=lambda how: how.name)
@pytest.mark.parametrize("share", [0.6, 1.0])
def test_the_prompt_said_back_is_not_searched_for(world, how, share):
    asked, scout = Question("When is rent due?"), world("none")
    scout.find(how, asked)
    prompt = scout.told[0].messages[-1].content
    here = world(prompt[: round(len(prompt) * share)])
    found = here.find(how, asked)
    assert texts(found) == texts(scout.find(how, asked))
    if how in WRITING:
        assert any("said its prompt back" in note for note in found.notes)
        assert not any("searched for" in note for note in found.notes)


def test_sub_questions_are_searched_side_by_side(world):
    here = world("Are dogs welcome?\nWho is the landlord?\nAre dogs welcome?")
    corpus = Corpus.of(*TEXTS)
    run(registry.make("retrievers", "dense").prepare(corpus, here.models), here)
    here.rounds.clear()
    found = here.find(Decomposition(over="dense"), limit=3, corpus=corpus)
    assert [len(requests) for requests in here.rounds] == [1, 3]
    assert {TEXTS[1], TEXTS[2]} <= set(texts(found))


def test_several_hypothetical_passages_are_samples_of_one_prompt(world):
    here = world("Dogs are welcome.")
    here.find(HypotheticalDocuments(over="bm25", passages=3))
    assert [request.sampling.sample for request in here.told] == [0, 1, 2]
    assert all(request.sampling.temperature > 0 for request in here.told)
    assert len(here.rounds) == 1


def test_keywords_are_few_and_new(world):
    here = world("rent, Rent, money, MONEY, due, cash\nsecond line")
    found = here.find(QueryExpansion(over="bm25", words=2), Question("When is rent due?"))
    assert "also searched for: money, cash" in found.notes


def test_fused_never_hands_over_one_place_twice():
    whole, part = Passage("abcd", (Span("d", 0, 4),), "d"), Passage("bc", (Span("d", 1, 3),), "d")
    other = Passage("x", (Span("e", 0, 1),), "e")
    found = fused([Context((whole, other)), Context((part,), signals={"search_tokens": 2.0})], [1.0, 0.5], 5)
    assert texts(found) == ["abcd", "x"]
    assert found.dropped == ()
    assert found.signals["search_tokens"] == 2.0


@pytest.mark.parametrize(
    ("scores", "options", "k"),
    [
        ([0.9, 0.88, 0.3, 0.29, 0.28], {}, 2),
        ([0.9, 0.88, 0.3, 0.29, 0.28], {"buffer": 2}, 4),
        ([0.99, 0.6, 0.58, 0.4, 0.39, 0.38], {"head": 0.2}, 3),
        ([0.6, 0.5, 0.45, 0.44, 0.1], {"tail": 0.2}, 1),
        ([0.6, 0.5, 0.45, 0.44, 0.1], {}, 4),
        ([0.5, 0.5, 0.5], {}, 3),
        ([0.5], {}, 1),
        ([], {}, 0),
    ],
)
def test_the_cut_is_at_the_largest_gap(scores, options, k):
    assert AdaptiveK(**{"buffer": 0, "tail": 0.0, **options}).cut(scores) == k


def test_adaptive_k_hands_over_what_stands_out(world):
    found = world().find(AdaptiveK(buffer=0, tail=0), Question("dogs and cats are welcome garden"), 4)
    assert texts(found) == [TEXTS[1]]
    assert found.signals["adaptive_k"] == 1
    assert {dropped.span.document for dropped in found.dropped} == {"text-1", "text-3", "text-4"}


def test_focus_keeps_the_nearest_sentences_in_document_order(world):
    corpus = Corpus.of(
        "Pears are green. Cats are welcome here. Nobody knows. Dogs and cats are welcome.", "Rent is due."
    )
    found = world().find(FocusMode(over="bm25", keep=2), Question("Are dogs and cats welcome?"), 2, corpus)
    assert texts(found) == ["Cats are welcome here. Dogs and cats are welcome."]
    assert [corpus.text(span) for span in found.passages[0].spans] == [
        "Cats are welcome here.",
        "Dogs and cats are welcome.",
    ]
    assert {corpus.text(one.span).strip() for one in found.dropped} >= {"Pears are green.", "Nobody knows."}


def test_focus_without_vectors_hands_over_whole_passages(world):
    here = world(fails=(Embed,))
    found = here.find(FocusMode(over="bm25"), Question("When is rent due?"))
    assert texts(found) == [TEXTS[2]]
    assert any("not focused" in note for note in found.notes)
    models = Models({"reader": ModelFacts("reader")})
    alone = run(FocusMode(over="bm25").retrieve(Question("When is rent due?"), Corpus.of(*TEXTS), 1, models))
    assert any("encoder" in note for note in alone.notes)


def test_a_rationale_that_wins_stands_for_what_it_was_written_from(world):
    here = world("Cats may stay.", table={"Cats may stay": 0.9, "Dogs": 0.6, "kitchen": 0.5})
    found = here.find(RationaleRanking(over="bm25", read=2), Question("Are cats welcome?"), 3)
    first = found.passages[0]
    assert first.derived
    assert first.text == "Cats may stay."
    assert {span.document for span in first.spans} == {"text-1", "text-2"}
    assert not {span.document for p in found.passages[1:] for span in p.spans} & {"text-1", "text-2"}
    assert TEXTS[1] in here.told[0].messages[-1].content


@pytest.mark.parametrize("value", [0.3, 0.6])
def test_a_rationale_that_does_not_win_is_left_out(world, value):
    here = world("Cats may stay.", table={"Cats may stay": value, "Dogs": 0.6, "kitchen": 0.2})
    found = here.find(RationaleRanking(over="bm25"), Question("Are cats welcome?"), 3)
    assert texts(found)[0] == TEXTS[1]
    assert not any(passage.derived for passage in found.passages)
    assert any("left out" in note for note in found.notes)


@pytest.mark.parametrize("says", ["nothing", Failure("server", "out of order"), "", "word " * 200])
def test_without_a_rationale_passages_are_ranked(world, says):
    here = world(says, table={"Dogs": 0.6})
    found = here.find(RationaleRanking(over="bm25"), Question("Are cats welcome?"), 3)
    assert texts(found)[0] == TEXTS[1]
    assert not any(passage.derived for passage in found.passages)


def test_rationale_ranking_without_a_ranker(world, exact):
    here = world("Cats may stay.", fails=(type(None),))
    models = Models({"reader": ModelFacts("reader", counter=exact())})
    with pytest.raises(ConfigError, match="ranker"):
        run(RationaleRanking(over="bm25").retrieve(PETS, Corpus.of(*TEXTS), 3, models), here)


@pytest.mark.parametrize(
    "make",
    [
        lambda: AdaptiveK(buffer=-1), lambda: AdaptiveK(head=0.5, tail=0.5), lambda: AdaptiveK(depth=0),
        lambda: FocusMode(keep=0), lambda: QueryExpansion(words=0), lambda: HypotheticalDocuments(passages=0),
        lambda: Decomposition(most=0), lambda: Decomposition(weight=-1), lambda: RationaleRanking(threshold=2),
    ],
)  # fmt: skip
def test_options_that_make_no_sense(make):
    with pytest.raises(ConfigError):
        make()
