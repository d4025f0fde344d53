"""Answer in the documents' own words: a reading model points out the span, and no language model is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, cast

from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.corpus.sentences import bounds
from ragctx.errors import ConfigError
from ragctx.models import Models
from ragctx.prompts import Templates, shipped
from ragctx.strategies import finding
from ragctx.strategies.answer_types import answer_type
from ragctx.strategies.doubts import aside, likeliest, rivals
from ragctx.strategies.limits import readable
from ragctx.strategies.pointing import (
    Place,
    answers,
    fitting,
    likeliest_sentence,
    pointed,
    shown,
    telling,
)
from ragctx.strategies.reranking import ROLE, asked, line
from ragctx.strategies.standalone import Asked, alone
from ragctx.strategies.standalone import line as rewriting
from ragctx.types import Answer, Citation, Context, Estimate, Passage, Question, Range
from ragctx.work import Failure, Relevances, Rerank, Work, raised

# Words of an earlier turn that are searched with: a question is short, and a reading model reads little of one.
_TURN = 30
# Places of one answer that are cited.
_CITED = 3
_HISTORY = "no model here can rewrite a follow-up: searched with the words of the turns before it"


@dataclass(frozen=True, slots=True)
class Extract:
    """Answer with the words of the documents that answer, and ask no language model at all.

    Passages are found, and one request lets the model that plays "ranker" read them all: it points out stretches with
    the probability that each is the answer. Passages that say the same add up. The likeliest answer is the text, its
    sentence the citation, its probability the confidence. Where no stretch is sure, the sentence most likely needed is
    the text, and a note says so; where that is not sure either, the documents do not say.

    It is for questions about one fact; whether a question is one is the router's to judge. It fills no schema: what is
    copied from a document is text.

    Attributes:
        retriever: a registered name, or a `Retriever`. BM25 by default: it needs no model, so that nothing but the
            reading model is loaded for an answer, and that model sorts what was found anyway.
        candidates: chunks that are read.
        answers: the most stretches that are pointed out in each.
        sure: probability from which a stretch is the answer.
        sentence: probability of being needed from which a sentence stands for the answer where no stretch is sure.
        support: what every further passage that says the same is worth, 0 to 1: 1 takes passages for independent
            witnesses, 0 believes the likeliest alone.
        close: other answers at least so likely, as a share of the chosen one's probability, are told in a note.
        templates: the text of a declined answer, and the prompt that rewrites a follow-up.

    Raises:
        ConfigError: an option makes no sense.

    Example:
        >>> from ragctx.readers.scripted import Rule, Scripted
        >>> from ragctx.work import run
        >>> reading = Scripted([Rule("notice", "three months")])
        >>> corpus = Corpus.of("The notice period is three months.", "Pets are welcome.")
        >>> work = Extract().read(Question("What is the notice period?"), corpus, Models({"ranker": reading.facts}))
        >>> answer = run(work, lambda requests: reading.serve(requests, print))
        >>> answer.text, answer.citations[0].text
        ('three months', 'The notice period is three months.')
    """

    name: ClassVar[str] = "extract"

    retriever: str | Retriever = "bm25"
    candidates: int = 30
    answers: int = 3
    sure: float = 0.3
    sentence: float = 0.25
    support: float = 0.5
    close: float = 0.5
    templates: Templates = field(default_factory=shipped)

    def __post_init__(self) -> None:
        if self.candidates < 1 or self.answers < 1:
            raise ConfigError(f"extract needs candidates={self.candidates} and answers={self.answers} of at least 1")
        for name in ("sure", "sentence", "support", "close"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"extract: {name}={getattr(self, name)} is no probability: give 0 to 1")

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Build or refresh the retriever's index."""
        yield from finding.retriever(self.retriever).prepare(corpus, models)

    def estimate(self, question: Question, corpus: Corpus, models: Models) -> Estimate:
        """What `read` will spend: the ranker's tokens, and the reader's only for rewriting a follow-up.

        Where finding needs no model the passages are known and counted. What a reader of pairs bills for them, windows
        over long passages and all, is its own matter, so even then the tokens are a range.

        Raises:
            ConfigError: no model can point out answers or read the question's letters, or the question asks for data.
        """
        self._check(question, models)
        if not models.of(ROLE).reads(question.text):  # `read` could only decline
            foreign = f"the question is mostly in letters that {models.of(ROLE).name} does not know"
            raise ConfigError(f"{foreign}: use a strategy that asks a language model, or ask in English")
        view = readable(question, corpus)
        searched = _with_history(question) if question.history else question
        found = finding.find_for_nothing(self.retriever, searched, corpus, view, self.candidates, models)
        reading = line(searched, found, self.candidates, view, models)
        if _rewrites(question, models):  # what will be searched for then is not known yet
            guess = line(searched, None, self.candidates, view, models)
            reading = replace(reading, prompt=Range(0, reading.prompt.expected, _higher(reading.prompt, guess.prompt)))
        spent = rewriting(question, models, self.templates) if _rewrites(question, models) else ()
        search = finding.search_line(self.retriever, searched, models, corpus, self.candidates) if found is None else ()
        notes = (_HISTORY,) if question.history and not spent else ()
        told = (*(found.notes if found else ()), *notes)
        return Estimate((*spent, *search, reading), exact=not spent, notes=told)  # no language model: exactly nothing

    def read(self, question: Question, corpus: Corpus, models: Models) -> Work[Answer]:
        """Find, read, choose.

        Raises:
            ConfigError: no model can point out answers, or the question asks for data. RequestFailed: the model failed.
        """
        self._check(question, models)
        view = readable(question, corpus)
        standing = yield from self._standing(question, models)
        found = yield from finding.find(self.retriever, standing.question, corpus, view, self.candidates, models)
        found = replace(found, notes=(*found.notes, *standing.notes))
        if not found.passages:
            return self._answer(question, view, found)
        request = self._request(standing.question, found, view, models)
        [reply] = yield [request]
        if isinstance(reply, Failure) and reply.kind == "bad_request":  # a question without words, say
            return self._answer(question, view, found, notes=(f"nothing could be read for it: {reply.message}",))
        return self._chosen(question, view, found, request, cast("Relevances", raised(reply)))

    def _check(self, question: Question, models: Models) -> None:
        if question.answer_type is not None:
            raise ConfigError(
                f"extract copies words and fills no schema ({question.answer_type.__name__}): "
                "use another strategy, or ask without answer_type"
            )
        if not models.can(ROLE, "Extract"):
            told = f"{models.of(ROLE).name} cannot point out answers"  # `of` says what to do where there is none
            raise ConfigError(f"{told}: name a model that does, e.g. Pipeline.over(..., ranker='extractive')")

    def _standing(self, question: Question, models: Models) -> Work[Asked]:
        """The question to search and to read for."""
        if question.history and not _rewrites(question, models):
            return Asked(_with_history(question), notes=(_HISTORY,))
        return (yield from alone(question, models, self.templates))

    def _request(self, question: Question, found: Context, view: Corpus, models: Models) -> Rerank:
        weighs = models.can(ROLE, "Prune")
        units = tuple(tuple(bounds(passage.text)) for passage in found.passages) if weighs else ()
        return replace(asked(question, found.passages, view, units, self.answers), tolerant=True)

    def _chosen(self, question: Question, view: Corpus, found: Context, request: Rerank, reply: Relevances) -> Answer:
        passages = found.passages
        units = request.units or tuple(tuple(bounds(passage.text)) for passage in passages)
        kind = answer_type(question.text)
        places, others = fitting(telling(pointed(passages, units, reply), passages, question.text), kind)
        left = aside(kind, [one for one in others if one.probability >= self.sure])
        said = answers(places, passages, self.support)
        if said and said[0].probability >= self.sure:
            first, bar = said[0], self.close * said[0].places[0].probability
            kept = [place for place in first.places if place.probability >= bar]
            notes = (*rivals(said, self.close), *left)
            return self._answer(question, view, found, first.text, kept, first.probability, notes)
        likely = likeliest_sentence(passages, units, reply, question.text, kind)
        if likely is not None and likely.probability >= self.sentence:
            text = " ".join(likely.text.split())
            note = f"no exact words are sure to answer{likeliest(said)}: the likeliest sentence stands for them"
            return self._answer(question, view, found, text, (likely,), likely.probability, (note, *left))
        doubt = (f"nothing that was read is sure to answer{likeliest(said)}", *left) if said else left
        return self._answer(question, view, found, confidence=1 - (said[0].probability if said else 0.0), notes=doubt)

    def _answer(
        self,
        question: Question,
        view: Corpus,
        found: Context,
        text: str = "",
        places: Sequence[Place] = (),
        confidence: float | None = None,
        notes: Sequence[str] = (),
    ) -> Answer:
        return Answer(
            text=text or self.templates.unanswerable,
            question=question.id,
            strategy=self.name,
            answerable=bool(text),
            citations=_citations(places, found.passages, view),
            confidence=None if confidence is None else round(confidence, 4),
            coverage=view.coverage(found.spans),
            dropped=found.dropped,
            notes=(*found.notes, *notes),
        )


def _rewrites(question: Question, models: Models) -> bool:
    """Whether a follow-up is made one question by a model."""
    return bool(question.history) and models.can("reader", "Generate")


def _with_history(question: Question) -> Question:
    """The question with the first words of the last turns, which is what can be searched for without a writer."""
    turns = tuple(replace(turn, text=" ".join(turn.text.split()[:_TURN])) for turn in question.history)
    return replace(finding.with_history(replace(question, history=turns)), history=())


def _higher(one: Range, other: Range) -> float:
    return max(one.high, other.high)


def _citations(places: Sequence[Place], passages: Sequence[Passage], view: Corpus) -> tuple[Citation, ...]:
    """The sentences that hold the answer, each once, the likeliest first."""
    cited: dict[tuple[str, int], Citation] = {}
    for place in places:
        passage = passages[place.passage]
        part = passage.narrowed([shown(passage.text, place.sentence, place.start, place.end)])
        for span in part.spans:
            document = view.document(span.document)
            text = view.text(span)
            if len(cited) < _CITED:
                cited.setdefault(
                    (span.document, span.start), Citation(span, text, document.id, document.page(span.start))
                )
    return tuple(cited.values())
