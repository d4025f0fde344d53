"""A judge among several answers to one question."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ragctx.corpus import Corpus
from ragctx.errors import LimitError, RequestFailed
from ragctx.models import Models
from ragctx.prompts.replies import numbers
from ragctx.prompts.tasks import Task
from ragctx.prompts.texts import texts
from ragctx.strategies.limits import output_tokens
from ragctx.strategies.purse import Purse
from ragctx.types import Answer, Line, Question, Range
from ragctx.work import Generate, Message, Sampling, Work, ask

ROLE = "judge"
_SLOTS = {"choose": ("QUESTION", "CANDIDATES"), "bare": ("QUESTION", "CANDIDATES")}
# A number is short. A judge is shown this many characters of an answer, and so many source sentences.
_NUMBER, _LONGEST, _SOURCES = 8, 400, 6
# Tokens of a judge's prompt besides the question: for each answer, and at all.
_EACH, _AROUND = 60, 200
# A long answer and its sources take up to so many times more.
_LONG = 4


def judged(
    question: Question, candidates: Sequence[Answer], view: Corpus, models: Models, purse: Purse
) -> Work[tuple[int, str]]:
    """Which answer a judge prefers, counted from 0, and a note; the first where it cannot be asked or names none.

    Args:
        question: what was asked.
        candidates: answers that say different things, the one that most runs gave first.
        view: where their source sentences are looked up.
        models: facts about the models.
        purse: what may still be spent.
    """
    facts = models.of(ROLE)
    most = output_tokens(facts, _NUMBER)
    prompts = [_prompt(question, candidates, view, sources) for sources in (_SOURCES, 0)]
    allowed = [one for one in prompts if purse.allows(facts.counter.render(one), most, facts=facts)]
    if not allowed:
        return 0, "the judge was not asked, since window or budget do not hold its prompt: the runs voted"
    try:
        completion = yield from ask(Generate(allowed[0], ROLE, "choose best", Sampling(max_tokens=most)))
    except (LimitError, RequestFailed) as error:
        return 0, f"the judge could not be asked, so the runs voted: {error}"
    number = _number(completion.text)
    if not 1 <= number <= len(candidates):
        return 0, "the judge named no answer: the runs voted"
    return number - 1, f"chosen by the judge among {len(candidates)} different answers"


def judging(question: Question, runs: int, models: Models) -> tuple[Line, ...]:
    """What a judge is expected to take: it is asked only where the runs disagree."""
    if runs < 2:
        return ()
    asked = models.of(ROLE).counter.count(question.text)
    expected, most = asked + _AROUND + 2 * _EACH, asked + _LONG * aside(runs)
    return (Line(ROLE, Range(0, expected, most), Range(0, 2, _NUMBER), Range(0, 1, 1)),)


def aside(runs: int) -> int:
    """Tokens that are kept for a judge of so many runs."""
    return _AROUND + _EACH * runs + _NUMBER


def _prompt(question: Question, candidates: Sequence[Answer], view: Corpus, sources: int) -> tuple[Message, ...]:
    spans = dict.fromkeys(citation.span for answer in candidates for citation in answer.citations)
    passages = [view.passage(span) for span in list(spans)[:sources]]
    shown = "\n".join(f"{i}. {' '.join(one.text.split())[:_LONGEST]}" for i, one in enumerate(candidates, 1))
    words = texts(Path(__file__).with_name("texts") / "sampling.toml", _SLOTS)
    task = Task(words, view.manifest)
    return task.messages("choose" if passages else "bare", passages, question=question.text, candidates=shown)


def _number(reply: str) -> int:
    """The first number of a reply; 0 where there is none.

    Example:
        >>> _number("Answer 2 is right."), _number("[3]"), _number("neither")
        (2, 3, 0)
    """
    marked = numbers(reply)
    plain = "".join(character if character in "0123456789" else " " for character in reply).split()
    return marked[0] if marked else int(plain[0][:6]) if plain else 0
