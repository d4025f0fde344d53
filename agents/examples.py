"""Demonstrations: questions that were answered before, with the documents and the steps that led to the answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ragctx.errors import BadQuestion, ConfigError
from ragctx.grounding.words import content
from ragctx.types import Question

Demonstrations = str | Path | Sequence["Example"]
_SHOWN = 5
_SHAPE = '{"question": ..., "answer": ..., "documents": [...], "steps": [[sub-question, its answer], ...]}'


@dataclass(frozen=True, slots=True)
class Example:
    """One demonstration.

    Attributes:
        answer: what is shown as the right answer; empty where the right reply is that the documents do not say.
        documents: texts it was answered from; without any, those are shown that a search of the corpus finds for it.
        steps: sub-questions and their answers, in order; only iterative reading shows them.

    Raises:
        BadQuestion: the question is blank, or documents or steps are not what they should be.
    """

    question: str
    answer: str
    documents: tuple[str, ...] = ()
    steps: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not self.question.strip():
            raise BadQuestion("a demonstration needs a question: it is blank")
        if not all(isinstance(text, str) and text.strip() for text in self.documents):
            raise BadQuestion(f"the documents of the demonstration {self.question!r} must be texts, none of them blank")
        if not all(len(step) == 2 and all(isinstance(part, str) for part in step) for step in self.steps):
            raise BadQuestion(f"the steps of the demonstration {self.question!r} must be pairs of texts")


def examples(given: Demonstrations) -> tuple[Example, ...]:
    """Demonstrations as they are, or those of a JSONL file.

    A row has `question` and `answer`, and may have `documents` (texts) and `steps` (pairs, or objects with `question`
    and `answer`). Rows of a question file do as well: the first of `answers` is shown, and the refusal where
    `answerable` is false; other fields are passed over.

    Raises:
        ConfigError: the file cannot be read. BadQuestion: lines are no demonstrations; each is told with its number.
    """
    if not isinstance(given, str | Path):
        wrong = [one for one in given if not isinstance(one, Example)]
        if wrong:
            raise BadQuestion(f"a demonstration must be an Example, not {type(wrong[0]).__name__}: {_SHAPE} in a file")
        return tuple(given)
    try:
        lines = Path(given).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the demonstrations in {given}: {error}; give a JSONL file") from error
    found, problems = _rows(lines)
    if problems:
        more = f" and {len(problems) - _SHOWN} more lines" if len(problems) > _SHOWN else ""
        raise BadQuestion(f"{given}: {'; '.join(problems[:_SHOWN])}{more}; a line is {_SHAPE}")
    return found


def others(given: Iterable[Example], question: Question) -> list[Example]:
    """The demonstrations that do not ask what is asked now: they would show the answer.

    Example:
        >>> given = [Example("Who pays?", "Ada."), Example("When?", "May.")]
        >>> [one.question for one in others(given, Question("who pays"))]
        ['When?']
    """
    asked, words = _plain(question.text), content(question.text)
    return [
        one
        for one in given
        if _plain(one.question) != asked and not (words and content(one.question) == words)
    ]  # fmt: skip


def turned(given: Sequence[Example], start: int, count: int) -> tuple[Example, ...]:
    """So many demonstrations from `start` on, going round where the end is reached; each at most once."""
    if not given:
        return ()
    first = start % len(given)
    return tuple((*given[first:], *given[:first])[:count])


def _rows(lines: Sequence[str]) -> tuple[tuple[Example, ...], list[str]]:
    found: list[Example] = []
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(_example(json.loads(line)))
        except (ValueError, TypeError, RecursionError, BadQuestion) as error:
            problems.append(f"line {number}: {error}")
    return tuple(found), problems


def _example(row: object) -> Example:
    if not isinstance(row, dict):
        raise ValueError("it is no object")
    question, documents = row.get("question", row.get("text")), row.get("documents") or ()
    if not isinstance(question, str):
        raise ValueError("it has no question")
    return Example(
        question, _answer(row), (documents,) if isinstance(documents, str) else tuple(documents),
        tuple(_step(step) for step in row.get("steps") or ()),
    )  # fmt: skip


def _answer(row: dict[str, object]) -> str:
    if row.get("answerable") is False:
        return ""
    answers = row.get("answers")
    answer = row.get("answer", answers[0] if isinstance(answers, list) and answers else answers)
    if isinstance(answer, bool) or not isinstance(answer, str | int | float) or not str(answer).strip():
        raise ValueError("it has no answer")
    return str(answer)


def _step(step: object) -> tuple[str, str]:
    pair = (step.get("question"), step.get("answer")) if isinstance(step, dict) else step
    if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
        raise ValueError("a step must be a pair of texts")
    return pair[0], pair[1]


def _plain(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())
