"""Corrective retrieval: what each grade leads to, and what is read when nothing answers."""

import re
from dataclasses import dataclass, field

import pytest

from ragctx.corpus import Corpus
from ragctx.errors import ConfigError
from ragctx.models import ModelFacts, Models
from ragctx.retrievers.corrective import Corrective
from ragctx.retrievers.expanded import QueryExpansion
from ragctx.strategies import Retrieve
from ragctx.types import Budget, Passage, Question
from ragctx.work import Completion, Failure, Relevances, Rerank, run

TEXTS = (
    "The notice period is three months. The kitchen was painted in May.",
    "Pets are welcome. The garden has an old pear tree.",
    "Rent is due on the first of the month.",
)
QUESTION = Question("How long is the notice period?")


@dataclass
class World:
    """A ranker that says what a table says of words in a text, and a reader with one line."""

    counter: object
    table: dict
    says: object = "old pear tree"
    fails: bool = False
    fails_after: int = 99
    told: list = field(default_factory=list)
    graded: list = field(default_factory=list)

    @property
    def models(self):
        ranker = ModelFacts("ranker", kinds=frozenset({"Rerank", "Prune"}))
        return Models({"reader": ModelFacts("reader", counter=self.counter, window=4096), "ranker": ranker})

    def value(self, text):
        return max((value for word, value in self.table.items() if re.search(word, text)), default=0.01)

    def __call__(self, requests):
        return [self.reply(request) for request in requests]

    def reply(self, request):
        if not isinstance(request, Rerank):
            self.told.append(request)
            said = self.says
            return said if isinstance(said, Failure) else Completion(said, self.counter.render(request.messages), 3)
        self.graded.append(request)
        if self.fails or len(self.graded) > self.fails_after:
            return Failure("crashed", "no memory")
        keeps = tuple(
            tuple(self.value(text[a:b]) for a, b in units)
            for text, units in zip(request.texts, request.units, strict=True)
        )
        return Relevances(tuple(map(self.value, request.texts)), keeps=keeps)

    def find(self, limit=1, how=None, question=QUESTION):
        work = (how or Corrective(over="bm25")).retrieve(question, Corpus.of(*TEXTS), limit, self.models)
        return run(work, self)


@pytest.fixture
def world(exact):
    return lambda **table: World(exact(), table)


def test_correct_is_cut_to_its_strips(world):
    here = world(notice=0.9)
    found = here.find()
    assert [passage.text for passage in found.passages] == ["The notice period is three months."]
    assert len(here.graded) == 1
    assert not here.told
    assert any("strip" in one.reason for one in found.dropped)


def test_ambiguous_is_searched_wider(world):
    here = world(notice=0.3)
    found = here.find()
    assert len(here.graded) == 2
    assert any("widened to 3" in note for note in found.notes)
    assert [passage.text for passage in found.passages] == ["The notice period is three months."]


def test_incorrect_is_searched_by_other_words_and_graded_by_the_questions_own(world):
    here = world(pear=0.8)
    found = here.find()
    assert [request.purpose for request in here.told] == ["search words"]
    assert [request.query for request in here.graded] == [QUESTION.text] * 2
    assert [passage.text for passage in found.passages] == ["The garden has an old pear tree."]
    assert found.signals["search_tokens"] > 0


def test_nothing_that_answers_hands_over_nothing(world):
    here = world()
    found = here.find()
    assert found.passages == ()
    assert "nothing in the documents answers" in found.notes[-1]
    assert found.dropped
    here.says = "Not in the documents."
    answer = run(Retrieve(retriever=Corrective(over="bm25")).read(QUESTION, Corpus.of(*TEXTS), here.models), here)
    assert not answer.answerable
    assert "notice period is three" not in here.told[-1].messages[-1].content


@pytest.mark.parametrize("said", [Failure("server", "out of order"), "", "```"])
def test_no_other_words_is_no_error(world, said):
    here = world()
    here.says = said
    found = here.find()
    assert found.passages == ()
    assert len(here.graded) == 1


def test_the_prompt_said_back_is_not_searched_for(world):
    here = world(pear=0.8)
    here.find()
    again = world(pear=0.8)
    again.says = here.told[0].messages[-1].content
    found = again.find()
    assert len(again.graded) == 1
    assert any("said its prompt back" in note for note in found.notes)
    again.says += " old pear tree"  # and went on to answer it
    assert [passage.text for passage in again.find().passages] == ["The garden has an old pear tree."]


def test_a_budget_too_small_for_other_words(world):
    here = world()
    found = here.find(question=Question(QUESTION.text, budget=Budget(tokens=20)))
    assert not here.told
    assert any("budget" in note for note in found.notes)


def test_a_ranker_that_fails_leaves_what_was_found(world):
    here = world()
    here.fails = True
    found = here.find(limit=2)
    assert found.passages
    assert any("not graded" in note for note in found.notes)


def test_a_ranker_that_fails_the_second_time_leaves_what_is_known(world):
    ambiguous, incorrect = world(notice=0.3), world()
    ambiguous.fails_after = incorrect.fails_after = 1
    found = ambiguous.find()
    assert [passage.text for passage in found.passages] == ["The notice period is three months."]
    assert any("left out, as the ranker failed (no memory)" in note for note in found.notes)
    found = incorrect.find()
    assert [passage.text for passage in found.passages] == [TEXTS[1]]
    assert any("not graded: the ranker failed (no memory)" in note for note in found.notes)
    assert found.signals["search_tokens"] > 0


def test_without_a_ranker_it_says_what_to_name(exact):
    models = Models({"reader": ModelFacts("reader", counter=exact())})
    with pytest.raises(ConfigError, match="ranker"):
        run(Corrective(over="bm25").retrieve(QUESTION, Corpus.of(*TEXTS), 3, models))


def test_the_web_is_off_unless_given(world):
    class Web:
        def search(self, words, limit, models):
            yield from ()
            return (Passage("Elsewhere the web says six weeks.", (), "https://example.org", derived=True),)

    here = world(web=0.9)
    assert here.find().passages == ()
    [page] = here.find(how=Corrective(over="bm25", web=Web())).passages
    assert page.source == "https://example.org"


def test_the_plan_shows_every_role(world):
    here = world()
    plan = Retrieve(retriever=Corrective(over="bm25")).estimate(QUESTION, Corpus.of(*TEXTS), here.models)
    assert {line.role for line in plan.lines} == {"reader", "ranker"}
    assert len([line for line in plan.lines if line.role == "reader"]) == 2


def test_what_the_search_itself_wrote_is_counted_and_planned(world):
    here, how = world(notice=0.3), Corrective(over=QueryExpansion(over="bm25"))
    found = here.find(how=how)
    billed = sum(here.counter.render(request.messages) for request in here.told)
    assert len(here.told) == 2
    assert found.signals["search_tokens"] == billed + 3 * len(here.told)
    lines = [line for line in how.lines(QUESTION, Corpus.of(*TEXTS), 1, here.models) if line.role == "reader"]
    assert sum(line.calls.high for line in lines) >= 2
    assert sum(line.prompt.low for line in lines) <= billed <= sum(line.prompt.high for line in lines)


@pytest.mark.parametrize("options", [{"upper": 0.1, "lower": 0.2}, {"strip": 2}, {"wider": 0}])
def test_options_that_make_no_sense(options):
    with pytest.raises(ConfigError):
        Corrective(**options)
