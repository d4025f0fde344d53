"""Clustered retrieval: what is paid once, what makes summaries anew, what they rest on."""

import re
from dataclasses import dataclass, field

import numpy as np
import pytest

from ragctx import registry
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError, DoesNotFit, RequestFailed
from ragctx.models import ModelFacts, Models
from ragctx.retrievers.clustered import Clustered
from ragctx.strategies import Retrieve
from ragctx.types import Document, Question, Where
from ragctx.work import Completion, Embed, Failure, Generate, Vectors, run

TOPICS = ("battery", "screen", "parcel")
TEXTS = [
    f"The {topic} of item {number} is {'good' if number % 3 else 'bad'} and I would say so to anybody who asks me."
    for topic in TOPICS
    for number in range(10)
]


@dataclass
class World:
    """An encoder that knows three words, and a reader that says what it is asked to say."""

    counter: object
    window: int = 4096
    says: object = lambda request: "Most say it is good, a third that it is bad."
    identity: str = "reader"
    told: list = field(default_factory=list)
    embedded: int = 0

    @property
    def models(self):
        reader = ModelFacts("reader", counter=self.counter, window=self.window, identity=self.identity)
        return Models({"reader": reader, "encoder": ModelFacts("encoder", kinds=frozenset({"Embed"}))})

    def __call__(self, requests):
        return [self.reply(request) for request in requests]

    def reply(self, request):
        if isinstance(request, Embed):
            self.embedded += len(request.texts)
            rows = [[0.1 + len(re.findall(topic, text)) for topic in TOPICS] for text in request.texts]
            rows = np.array(rows, np.float32)
            return Vectors(rows / np.linalg.norm(rows, axis=1, keepdims=True))
        assert isinstance(request, Generate)
        self.told.append(request)
        prompt = self.counter.render(request.messages)
        assert prompt + request.sampling.max_tokens <= self.window
        said = self.says(request)
        return said if isinstance(said, Failure) else Completion(said, prompt, self.counter.count(said))

    def find(self, corpus, *, limit=20, where=None, how=None):
        question = Question("What do people say?", where=where)
        return run((how or Clustered(most=40)).retrieve(question, corpus, limit, self.models), self)


@pytest.fixture
def world(exact):
    return World(exact())


@pytest.fixture
def corpus():
    return Corpus.of(*TEXTS)


def test_one_summary_a_group_with_size_and_sources(world, corpus):
    found = world.find(corpus)
    assert [request.purpose for request in world.told] == ["cluster summary"] * 3
    assert [passage.source for passage in found.passages] == ["summary of 10 passages of 10 documents"] * 3
    assert all(passage.derived and len(passage.spans) == 10 for passage in found.passages)
    assert {span.document for span in found.spans} == {document.id for document in corpus.documents}


def test_paid_once_and_said_so(world, corpus):
    cost = sum(line.prompt.expected for line in Clustered(most=40).preparing(corpus, world.models))
    first = world.find(corpus)
    calls, embedded = len(world.told), world.embedded
    assert world.find(corpus) == first
    assert (len(world.told), world.embedded) == (calls, embedded)
    billed = sum(world.counter.render(one.messages) for one in world.told)
    spent = billed + sum(map(world.counter.count, (world.says(one) for one in world.told)))
    assert f"summaries cost {spent:,} tokens once for this corpus" in first.notes[0]
    assert 0.5 * billed < cost < 2 * billed
    assert Clustered(most=40).preparing(corpus, world.models) == ()


def test_another_reader_or_other_settings_write_anew(world, corpus):
    world.find(corpus)
    world.identity = "another"
    world.find(corpus)
    assert len(world.told) == 6
    world.find(corpus, how=Clustered(most=41))
    assert len(world.told) == 9
    assert world.embedded == len(corpus.chunks)


def test_a_changed_corpus(world, corpus):
    world.find(corpus)
    embedded = world.embedded
    corpus.add(Document("new", "The parcel was lost, and nobody said a word about it for weeks."))
    found = world.find(corpus)
    assert "new" in {span.document for span in found.spans}
    assert world.embedded == embedded + 1
    corpus.remove("new")
    assert "new" not in {span.document for span in world.find(corpus).spans}


def test_a_filter_has_groups_of_its_own(world, corpus):
    world.find(corpus)
    where = Where(documents=("text-1", "text-2", "text-3", "text-4", "text-5"))
    how, embedded = Clustered(most=40), world.embedded
    lines = how.lines(Question("What?", where=where), corpus, 20, world.models)
    found = world.find(corpus, where=where)
    assert {span.document for span in found.spans} == set(where.documents)
    assert world.embedded == embedded  # a view's vectors are those of the whole
    assert sum(line.prompt.high for line in lines) >= world.counter.render(world.told[-1].messages)
    assert how.lines(Question("What?", where=where), corpus, 20, world.models) == ()
    assert "this part of the corpus" in found.notes[0]


def test_a_failed_call_leaves_nothing_behind(world, corpus):
    says, answers = world.says, iter([True, False, True])
    world.says = lambda request: says(request) if next(answers) else Failure("server", "out of order")
    with pytest.raises(RequestFailed):
        world.find(corpus)
    world.says, world.told = says, []
    assert len(world.find(corpus).passages) == 3
    assert len(world.told) == 3


@pytest.mark.parametrize("said", ["", "  \n"])
def test_an_empty_summary_is_told(world, corpus, said):
    world.says = lambda request: said
    with pytest.raises(RequestFailed, match="empty"):
        world.find(corpus)


def test_a_group_longer_than_the_window_is_summed_up_in_parts(world, corpus):
    world.window = 330
    found = world.find(corpus, how=Clustered(k=1, most=40))
    assert len(found.passages) == 1
    assert len(world.told) > 3
    assert "parts" in world.told[-1].messages[-1].content


def test_a_window_too_small_for_any_summary(world, corpus):
    world.window = 120
    with pytest.raises(DoesNotFit):
        world.find(corpus)
    assert not world.told


def test_a_summary_longer_than_its_source_gives_way(world):
    corpus = Corpus.of("The screen is good. " * 3, "The screen is bad, they say. " * 3)
    world.says = lambda request: "word " * 40
    [passage] = world.find(corpus, how=Clustered(most=30)).passages
    assert passage.text.startswith("The screen is good.")


def test_fewer_summaries_than_groups_are_the_nearest(world, corpus):
    question = Question("parcel")
    [one] = run(Clustered(most=40).retrieve(question, corpus, 1, world.models), world).passages
    assert "parcel" in corpus.text(one.spans[0])


def test_read_end_to_end_with_citations_and_an_exact_plan(world, corpus):
    says = "The battery of item 3 is bad [1]."
    world.says = lambda request: says if request.final else "Most say it is good."
    strategy, question = Retrieve(retriever=Clustered(most=40)), Question("What do people say?")
    before = strategy.estimate(question, corpus, world.models)
    assert any("once for this corpus" in note for note in before.notes)
    run(strategy.prepare(corpus, world.models), world)
    world.told.clear()
    plan = strategy.estimate(question, corpus, world.models)
    answer = run(strategy.read(question, corpus, world.models), world)
    assert plan.exact
    assert [world.counter.render(one.messages) for one in world.told] == [plan.prompt.expected]
    assert answer.citations[0].text.startswith("The battery of item 3 is bad")
    assert sum(one.read for one in answer.coverage) == corpus.characters


def test_crag_is_a_second_name_that_says_which(world, corpus):
    assert isinstance(registry.make("retrievers", "crag"), Clustered)
    name, note = registry.meant("retrievers", "crag")
    assert name == "clustered"
    assert "Akesson and Santos" in note
    assert "corrective" in note
    assert "crag" not in registry.names("retrievers")
    question = Question("What do people say?")
    plan = Retrieve(retriever="crag").estimate(question, corpus, world.models)
    answer = run(Retrieve(retriever="crag").read(question, corpus, world.models), world)
    assert note in plan.notes
    assert note in answer.notes


@pytest.mark.parametrize("options", [{"k": 0}, {"k": "many"}, {"most": 3}, {"tries": 0}])
def test_options_that_make_no_sense(options):
    with pytest.raises(ConfigError):
        Clustered(**options)
