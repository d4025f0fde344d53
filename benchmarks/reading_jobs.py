"""Runs one strategy over rows in a job file of the product's own, and tells what became of every row."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from ragctx import Pipeline
from ragctx.batch import JobStore
from ragctx.batch.results import RowResult
from ragctx.contracts import Strategy
from ragctx.corpus import Corpus
from ragctx.evaluation import correct, token_f1
from ragctx.registry import make, names
from ragctx.types import Answer, Estimate, Question

# Retrievers that only look up; the others are measured as `retrieve` over each of them.
_PLAIN = ("bm25", "dense", "hybrid")


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one question.

    Attributes:
        score: 1 or 0 where the question says what is right (key points, declining), else the answer's F1.
        tokens: billed, prompt and output. prompt: of them read. expected, low, high: of the prompt, in the plan.
        fixed: the plan knew how many calls there would be.
        failure: why there is no answer; a failed row scores 0 and counts.
    """

    strategy: str
    part: str
    question: str
    kind: str
    score: float = 0.0
    correct: bool = False
    declined: bool = False
    prompt: int = 0
    tokens: int = 0
    calls: int = 0
    seconds: float = 0.0
    expected: float = 0.0
    low: float = 0.0
    high: float = 0.0
    fixed: bool = False
    failure: str = ""


def ways(wanted: Sequence[str] | None = None) -> dict[str, Strategy]:
    """Every registered strategy, and `retrieve` over every retriever that needs more than an index.

    Raises:
        UnknownName: a wanted one is not registered.
    """
    known: dict[str, tuple[str, str, dict[str, str]]] = {name: ("strategies", name, {}) for name in names("strategies")}
    over = [name for name in names("retrievers") if name not in _PLAIN]
    known |= {f"retrieve over {name}": ("strategies", "retrieve", {"retriever": name}) for name in over}
    chosen = list(known) if wanted is None else list(wanted)
    made = {}
    for name in chosen:
        group, kind, given = known.get(name, ("strategies", name, {}))
        options = {"compressor": "provence"} if kind == "compress" else given
        made[name] = make(group, kind, **options)
    return made


def asked(
    pipeline: Pipeline,
    corpus: Corpus,
    strategy: tuple[str, Strategy],
    questions: Sequence[Question],
    job: Path,
    until: float = float("inf"),
) -> list[RowResult]:
    """Every row that is done, those of earlier runs included; goes on where a killed run stopped.

    Replies are kept in the job alone: one strategy's calls are never answered by what another one paid for.

    Args:
        pipeline: its models are used; what it reads and how is set here, so that a model's weights are read once.
        corpus: the documents.
        strategy: its name and itself.
        questions: all of them.
        job: the file.
        until: moment of `time.monotonic` after which no further row is waited for.

    Raises:
        ConfigError: the file is of other questions, documents or settings: name another folder, or delete it.
    """
    name, way = strategy
    pipeline.corpus, pipeline.strategies = corpus, {name: way}
    with closing(pipeline.batch(questions, job=job, strategy=name)) as running:  # type: ignore[type-var]
        for _ in running:
            if time.monotonic() > until:
                break
    with JobStore.open(job) as store:
        return list(store.results())


def rows(strategy: str, part: str, results: Iterable[RowResult]) -> list[Row]:
    """One row a result."""
    return [_row(strategy, part, result) for result in results]


def missing(strategy: str, part: str, questions: Iterable[Question], why: str) -> list[Row]:
    """Rows of a strategy that could not begin: a failure each."""
    return [Row(strategy, part, question.id, question.kind, failure=why) for question in questions]


def _row(strategy: str, part: str, result: RowResult) -> Row:
    question, answer = result.question, result.answer
    row = Row(strategy, part, question.id, question.kind)
    if answer is None:
        why = f"{result.failure.name}: {result.failure.message}" if result.failure else "no answer"
        return replace(row, failure=why[:300])
    row = replace(
        row,
        score=scored(question, answer),
        correct=correct(answer, question).correct,
        declined=not answer.answerable,
        prompt=answer.usage.prompt,
        tokens=answer.usage.tokens,
        calls=answer.usage.calls + answer.usage.replayed,
        seconds=round(answer.usage.seconds, 3),
    )
    return row if (guess := _guess(result)) is None else _guessed(row, guess)


def scored(question: Question, answer: Answer) -> float:
    """1 or 0 by the rule of `ragctx.evaluation.scoring` where it can say; F1 for the sets' free answers."""
    if question.answerable is False or question.metadata.get("must_mention") or "/" not in question.id:
        return float(correct(answer, question).correct)
    return round(token_f1(answer.text, question.answers), 4) if answer.answerable else 0.0


def _guess(result: RowResult) -> Estimate | None:
    """The estimate that the plan froze before the first call."""
    chosen = result.decision.chosen
    return chosen.estimate if chosen is not None and chosen.estimate.lines else None


def _guessed(row: Row, guess: Estimate) -> Row:
    prompt = guess.prompt
    fixed = guess.calls.low == guess.calls.high
    return replace(row, expected=prompt.expected, low=prompt.low, high=prompt.high, fixed=fixed)
