"""Corrective RAG: what was found is graded before it is read; too little makes the search wider, or other, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError
from ragctx.models import Models
from ragctx.prompts.replies import lines as said_lines
from ragctx.prompts.tasks import Task
from ragctx.prompts.texts import texts
from ragctx.retrievers.asking import refined, searched_lines, written, written_line
from ragctx.retrievers.grading import ROLE, Bars, Graded, graded
from ragctx.strategies import reranking
from ragctx.strategies.finding import REFUSED, SEARCHED, retriever, searching
from ragctx.types import Context, Line, Passage, Question, Range
from ragctx.work import Message, Sampling, Work

PURPOSE = "search words"
# Words to search with; a reader that writes more has begun to answer.
_MOST, _EXPECTED = 48, 16
# How often a search has to be made again, about; for plans alone.
_AGAIN, _WIDER = 0.25, 0.4
_FILE = Path(__file__).with_name("texts") / "corrective.toml"
_SLOTS = {"rewrite": ("QUESTION",)}


@runtime_checkable
class WebSearch(Protocol):
    """A search outside the documents, for questions that they do not answer. None comes with ragctx, and none is on."""

    def search(self, words: str, limit: int, models: Models) -> Work[tuple[Passage, ...]]:
        """At most `limit` passages with their addresses as sources, `derived` and without spans.

        They are nowhere in the corpus, so answers from them carry no citation.
        """
        ...


@dataclass(frozen=True, slots=True)
class Corrective:
    """Grades what another retriever found, and corrects the search by the grades (Corrective RAG, arXiv 2401.15884).

    The model that plays "ranker" says how likely each passage answers, and of each sentence (a strip) how likely it is
    needed. By the best passage the search is

    - correct, at `upper` or above: its strips are handed over;
    - ambiguous, between the two: a search `wider` times as wide is added to it, and the strips of both are taken;
    - incorrect, below `lower`: the reader writes other words, the search is made once more with them and graded by the
      question's own words. Where that is incorrect too, nothing is handed over and the note says so: the documents do
      not answer. `web` may then be asked; it is off.

    The published method trains a grader and always has the web; this one takes a calibrated model as it is and stays
    in the documents, so it inherits no published gain. Where the thresholds come from: the packaged reading model's
    relevance is a probability (Platt scaling on the questions of its dev part; its card has slope and offset), so from
    0.5 on a passage is likelier to answer than not, and below 0.1 more than nine of ten do not; a strip goes below
    0.1, as in the `retrieve` strategy's pruning. They follow from what the numbers mean and were not searched for on
    any data set. With another ranker, whose numbers may mean something else, give thresholds of your own.

    Attributes:
        over: the retriever that searches, or its name.
        upper, lower: bars of the grades. strip: bar of a sentence; 0 hands passages over whole.
        wider: how many times as many passages the second search of an ambiguous one takes.
        web: asked last, where given.

    Raises:
        ConfigError: an option makes no sense; or, when asked, no model that weighs sentences plays "ranker".

    Example:
        >>> Corrective(upper=0.6).name
        'corrective'
    """

    name: ClassVar[str] = "corrective"

    over: str | Retriever = "hybrid"
    upper: float = 0.5
    lower: float = 0.1
    strip: float = 0.1
    wider: int = 3
    web: WebSearch | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.lower <= self.upper <= 1 or not 0 <= self.strip <= 1:
            raise ConfigError(
                f"corrective needs 0 <= lower <= upper <= 1 and strip from 0 to 1, not lower={self.lower}, "
                f"upper={self.upper}, strip={self.strip}"
            )
        if self.wider < 1:
            raise ConfigError(f"corrective needs wider from 1, not {self.wider}")

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Build or refresh the index of the retriever that searches."""
        yield from retriever(self.over).prepare(corpus, models)

    def retrieve(self, question: Question, corpus: Corpus, limit: int, models: Models) -> Work[Context]:
        """At most `limit` passages, likeliest first; none, and a note, where nothing answers."""
        if not models.can(ROLE, "Prune"):
            raise ConfigError(
                "corrective grades by a model that weighs sentences, and none plays 'ranker': ranker='extractive'"
            )
        search = _Search(self, question, corpus, models)
        found, known = yield from search.graded(question, limit)
        if known.failure:
            note = f"passages are not graded: the ranker failed ({known.failure})"
            return replace(found, notes=(*found.notes, note))
        if not found.passages and found.notes and not len(corpus.select(question.where).chunks):
            return found
        verdict, first = self.bars.verdict(known.best), known
        notes, spent = list(found.notes), 0
        other = Context()
        if verdict == "ambiguous":
            other, more = yield from search.graded(question, self.wider * limit)
            known = known.plus(more)
            notes.append(self._widened(more, known, limit))
        elif verdict == "incorrect":
            words, spent, told = yield from self._other_words(question, corpus, models)
            notes.append(told)
            if words:
                other, more = yield from search.graded(replace(question, text=words), limit)
                known = known.plus(more)
                if more.failure:  # nobody can say that these do not answer
                    ungraded = f"what that found is not graded: the ranker failed ({more.failure})"
                    return refined(other, spent + searching(found), (*notes, ungraded))
            if self.web is not None and self.bars.verdict(known.best) == "incorrect":
                known = known.plus((yield from self._outside(self.web, words or question.text, limit, search)))
        spent += searching(found) + searching(other)
        signals = {**found.signals, "relevance_first": first.best, "relevance_max": known.best, SEARCHED: float(spent)}
        return self._kept(known, limit, notes, signals)

    def _kept(self, known: Graded, limit: int, notes: Sequence[str], signals: Mapping[str, float]) -> Context:
        """What is likely enough to answer; nothing, and why, where nothing is."""
        kept = known.stripped(self.bars, limit, whole=not self.strip)
        if not kept.passages:
            told = f"nothing in the documents answers: {known.best:.2f} likely at best, {self.lower:.2f} is the least"
            return Context((), kept.dropped, (*notes, told), {**signals, REFUSED: 1.0})
        return Context(kept.passages, kept.dropped, tuple(notes), signals)

    def lines(self, question: Question, corpus: Corpus, limit: int, models: Models) -> tuple[Line, ...]:
        """The searches, the grading of what they find, and other words, which not every question needs."""
        view = corpus.select(question.where)
        searches = Range(1, 1 + _AGAIN + _WIDER, 2)
        again = tuple(searched_lines(self.over, question, corpus, models, searches, 2 * _MOST))
        if not models.has(ROLE):
            return again
        once = reranking.line(question, None, limit, view, models)
        more = reranking.line(question, None, self.wider * limit, view, models)
        prompt = Range(
            once.prompt.low, once.prompt.expected + _WIDER * more.prompt.expected, once.prompt.high + more.prompt.high
        )
        grading = Line(ROLE, prompt, once.output, Range(1, 1 + _WIDER, 2))
        rewriting = [
            Line("reader", _seldom(one.prompt), _seldom(one.output), _seldom(one.calls))
            for one in written_line(self._messages(question, corpus), question, models, _EXPECTED, _MOST)
        ]
        return (*again, grading, *rewriting)

    @property
    def bars(self) -> Bars:
        """What grades are told by."""
        return Bars(self.upper, self.lower, self.strip)

    def _other_words(self, question: Question, corpus: Corpus, models: Models) -> Work[tuple[str, int, str]]:
        """Words to search with instead, what they were billed, and a note; no words where nobody can write any."""
        said = yield from written(
            self._messages(question, corpus), PURPOSE, question, models, Sampling(max_tokens=_MOST)
        )
        words = next((line for text in said.texts for line in said_lines(text)), "")
        if not words:
            why = said.notes or (f"no {PURPOSE}: the reply holds no words",)
            return "", said.spent, f"nothing found seems to answer; {'; '.join(why)}"
        return words, said.spent, f"nothing found seemed to answer: searched again for {words!r}"

    def _widened(self, more: Graded, known: Graded, limit: int) -> str:
        told = f"{known.best:.2f} likely to answer at best"
        if more.failure:
            told = f"what that found is left out, as the ranker failed ({more.failure})"
        return f"the search was widened to {self.wider * limit}: {told}"

    def _messages(self, question: Question, corpus: Corpus) -> tuple[Message, ...]:
        return Task(texts(_FILE, _SLOTS), corpus.manifest).messages("rewrite", question=question.text)

    def _outside(self, web: WebSearch, words: str, limit: int, search: _Search) -> Work[Graded]:
        pages = yield from web.search(words, limit, search.models)
        return (yield from graded(search.question, pages, search.corpus))


def _seldom(each: Range) -> Range:
    """What is made again for some questions alone."""
    return Range(0, _AGAIN * each.expected, each.high)


@dataclass(frozen=True, slots=True)
class _Search:
    """Searches by one retriever, graded by one question."""

    how: Corrective
    question: Question
    corpus: Corpus
    models: Models

    def graded(self, searched: Question, limit: int) -> Work[tuple[Context, Graded]]:
        searcher = retriever(self.how.over)
        yield from searcher.prepare(self.corpus, self.models)
        found = yield from searcher.retrieve(searched, self.corpus, limit, self.models)
        known = yield from graded(self.question, found.passages, self.corpus)
        return found, known
