"""Solved questions: a right answer to each, and a wrong one where somebody wrote it down."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ragctx.agents.examples import Example, others
from ragctx.errors import BadQuestion, ConfigError
from ragctx.grounding.words import content
from ragctx.types import Question

SolvedQuestions = str | Path | Sequence["Solved"]
_SHOWN = 5
_SHAPE = '{"question": ..., "answer": ..., "wrong": ...}'


@dataclass(frozen=True, slots=True)
class Solved:
    """One solved question.

    Attributes:
        right: the answer; empty where the right reply is that the documents do not say.
        wrong: an answer that is not right; empty where none is known.

    Raises:
        BadQuestion: the question is blank, or both answers are the same.
    """

    question: str
    right: str
    wrong: str = ""

    def __post_init__(self) -> None:
        if not self.question.strip():
            raise BadQuestion("a solved question is blank: give it some text")
        if self.wrong.strip() and self.wrong.strip().casefold() == self.right.strip().casefold():
            raise BadQuestion(f"the wrong answer to {self.question!r} is the right one: give another, or none")


def solved(given: SolvedQuestions) -> tuple[Solved, ...]:
    """Solved questions as they are, or those of a JSONL file.

    A row has `question` and `answer` (or the first of `answers`; none where `answerable` is false), and may have
    `wrong`, a text or a list of them; other fields are passed over.

    Raises:
        ConfigError: the file cannot be read. BadQuestion: lines are no solved questions; each is told with its number.
    """
    if not isinstance(given, str | Path):
        odd = [one for one in given if not isinstance(one, Solved)]
        if odd:
            raise BadQuestion(f"a solved question must be a Solved, not {type(odd[0]).__name__}: {_SHAPE} in a file")
        return tuple(given)
    try:
        lines = Path(given).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the solved questions in {given}: {error}; give a JSONL file") from error
    found, problems = list[Solved](), list[str]()
    for number, line in enumerate(lines, 1):
        try:
            found += [_solved(json.loads(line))] if line.strip() else []
        except (ValueError, RecursionError, BadQuestion) as error:
            problems.append(f"line {number}: {error}")
    if problems:
        more = f" and {len(problems) - _SHOWN} more lines" if len(problems) > _SHOWN else ""
        raise BadQuestion(f"{given}: {'; '.join(problems[:_SHOWN])}{more}; a line is {_SHAPE}")
    return tuple(found)


def similar(given: Sequence[Solved], question: Question, count: int) -> tuple[Solved, ...]:
    """Those most like a question, the most similar last; never one that asks the same, which would show the answer.

    Likeness is the share of content words in common, a word weighing the less the more of the questions have it.

    Example:
        >>> rows = ("Who pays the rent?", "Ada"), ("When is it dark?", "at six"), ("Who pays?", "Bo")
        >>> given = [Solved(*row) for row in rows]
        >>> [one.question for one in similar(given, Question("Who pays for the roof?"), 2)]
        ['Who pays the rent?', 'Who pays?']
    """
    allowed = [one for one in given if others([Example(one.question, one.right)], question)]
    words = [content(one.question) for one in allowed]
    held, asked = Counter(word for every in words for word in every), content(question.text)

    def weight(some: frozenset[str]) -> float:
        return sum(math.log(1 + len(allowed) / held[word]) if word in held else 1.0 for word in some)

    likeness = [weight(one & asked) / (weight(one | asked) or 1.0) for one in words]
    best = sorted(range(len(allowed)), key=lambda i: (-likeness[i], i))[:count]
    return tuple(allowed[i] for i in reversed(best))


def _solved(row: object) -> Solved:
    if not isinstance(row, dict):
        raise ValueError("it is no object")
    question, answers, wrong = row.get("question", row.get("text")), row.get("answers"), row.get("wrong", "")
    if not isinstance(question, str):
        raise ValueError("it has no question")
    right = row.get("answer", answers[0] if isinstance(answers, list) and answers else answers)
    right = "" if row.get("answerable") is False else right
    wrong = wrong[0] if isinstance(wrong, list) and wrong else wrong or ""
    for text in (right, wrong):
        if isinstance(text, bool) or not isinstance(text, str | int | float):
            raise ValueError("its answer, and what is wrong, must be texts")
    if not str(right).strip() and row.get("answerable") is not False:
        raise ValueError("it has no answer")
    return Solved(question, str(right), str(wrong))
