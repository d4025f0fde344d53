"""Strategies x readers x questions, each cell a batch job: kill it, run it again, and it goes on.

Costs are what the cells were billed: replies are kept in a cell's own job and never taken from another's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragctx.corpus import Corpus
from ragctx.errors import ConfigError, InputError
from ragctx.evaluation.datasets import Example
from ragctx.evaluation.measures import Metric, metric
from ragctx.evaluation.measures.table import DEFAULT
from ragctx.evaluation.results import ROUTER, Evaluation, ScoredRow
from ragctx.types import Document, Question, Where

if TYPE_CHECKING:
    from ragctx.batch import JobStore, RowResult
    from ragctx.pipeline import Pipeline

_BILLED = """
SELECT r.id, sum(CASE WHEN c.role NOT IN ('encoder', 'ranker', 'scorer') THEN c.prompt + c.output ELSE 0 END),
sum(c.role NOT IN ('encoder', 'ranker', 'scorer')), sum(c.seconds), sum(c.money)
FROM rows r JOIN charges c ON c.row = r.key GROUP BY r.id
"""
_Bill = tuple[int, int, float, float | None]


@dataclass(frozen=True, slots=True)
class Experiment:
    """Asks every question of every reader by every strategy.

    Attributes:
        examples: questions with gold, and the documents each may be answered from.
        folder: holds one job a cell, and the text store; the same folder goes on where it was left.
        strategies: names; "router" lets the policy choose among the others, or all installed where it stands alone.
        readers: name -> what `Pipeline.over` takes as reader.
        metric: the measure for every question, in place of the one its data set names.
        documents: what questions that bring no documents are asked over.
        options: further arguments of `Pipeline.over`: encoder, ranker, policy, lam, ...
        max_cost: money that one cell may spend; rows beyond it stay pending.

    Example:
        >>> from tempfile import mkdtemp
        >>> from ragctx.readers.scripted import Scripted
        >>> asked = Question("How long is the notice?", id="notice", answers=("three months",))
        >>> one = Example(asked, (Document("lease", "The notice is three months."),), (), "lease")
        >>> says = Scripted(default="Three months. [1]")
        >>> options = {"encoder": None, "ranker": None, "scorer": None}
        >>> found = Experiment((one,), Path(mkdtemp()), ("full",), {"scripted": says}, options=options).run()
        >>> [(row.strategy, row.score) for row in found.rows]
        [('full', 1.0)]
    """

    examples: Sequence[Example]
    folder: Path
    strategies: Sequence[str]
    readers: Mapping[str, object]
    metric: str = ""
    documents: Sequence[object] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    max_cost: float | None = None
    title: str = "Evaluation"

    def __post_init__(self) -> None:
        if not self.examples or not self.strategies or not self.readers:
            raise ConfigError("an experiment needs questions, strategies and readers: at least one of each")
        for example in self.examples:
            self.judge(example).must_judge(example.question)

    def judge(self, example: Example) -> Metric:
        """The measure of one question."""
        return metric(self.metric or example.metric or DEFAULT)

    def run(
        self,
        on_event: Callable[[object], None] | None = None,
        *,
        on_reader: Callable[[str, Pipeline, Sequence[Question]], None] | None = None,
    ) -> Evaluation:
        """Ask whatever is still to be asked, and score everything that was.

        Args:
            on_event: called with the events of `Pipeline.batch`.
            on_reader: called with each reader's name, its pipeline and the questions as they are asked, when all of
                them were.

        Raises:
            ConfigError: the folder's jobs are of other questions, documents or settings. InputError: two documents
            share an id and differ.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        corpus = self.corpus()
        asked = tuple(_within(example, corpus) for example in self.examples)
        rows: list[ScoredRow] = []
        notes: dict[str, None] = {}
        for name, reader in self.readers.items():
            with self._pipeline(reader, corpus) as pipeline:
                notes.update(dict.fromkeys(pipeline.notes))
                for strategy in self.strategies:
                    rows += self._cell(pipeline, name, strategy, asked, on_event)
                if on_reader is not None:
                    on_reader(name, pipeline, asked)
        measures = {one.name: one.source for one in map(self.judge, self.examples)}
        pending = len(self.examples) * len(self.strategies) * len(self.readers) - len(rows)
        return Evaluation(self.title, tuple(rows), measures, pending, tuple(notes))

    def corpus(self) -> Corpus:
        """The documents of all questions, in one store.

        Raises:
            InputError: two documents share an id and differ. ConfigError: there is no document.
        """
        every: dict[str, Document] = {}
        for document in (document for example in self.examples for document in example.documents):
            held = every.setdefault(document.id, document)
            if held is not document and held.text[:] != document.text[:]:
                raise InputError(f"two documents are called {document.id!r} and differ: give each an id of its own")
        sources = (*every.values(), *(self.documents if self._bare else ()))
        if not sources:
            raise ConfigError("the questions bring no documents: name some, e.g. with --documents FOLDER")
        return Corpus.over(*sources, folder=self.folder / "corpus")

    @property
    def _bare(self) -> bool:
        return any(not example.documents for example in self.examples)

    def _pipeline(self, reader: object, corpus: Corpus) -> Pipeline:
        from ragctx.pipeline import Pipeline

        named = [name for name in self.strategies if name != ROUTER]
        return Pipeline.over(corpus, reader=reader, strategies=named or None, cache=False, **self.options)

    def _cell(
        self,
        pipeline: Pipeline,
        reader: str,
        strategy: str,
        asked: Sequence[Question],
        on_event: Callable[[object], None] | None,
    ) -> Iterator[ScoredRow]:
        from ragctx.batch import JobStore

        job = self.folder / f"{_slug(reader)}--{_slug(strategy)}.sqlite"
        only = None if strategy == ROUTER else strategy
        for _ in pipeline.batch(asked, job=job, strategy=only, max_cost=self.max_cost, on_event=on_event):
            pass  # every row is in the file
        with JobStore.open(job) as store:
            bills = _bills(store)
            for result in store.results():
                example = self.examples[result.position]
                yield self._row(example, result, reader, strategy, bills.get(result.id, (0, 0, 0.0, None)))

    def _row(self, example: Example, result: RowResult, reader: str, strategy: str, bill: _Bill) -> ScoredRow:
        judge, answer, decision = self.judge(example), result.answer, result.decision
        chosen = decision.chosen
        estimate = chosen.estimate if chosen and chosen.estimate.lines else None
        planned, time = (estimate.tokens, estimate.seconds) if estimate else (None, None)
        failed = f"{result.failure.name}: {result.failure.message}" if result.failure else ""
        return ScoredRow(
            question=result.id,
            text=example.question.text,
            group=example.group,
            kind=example.question.kind,
            reader=reader,
            strategy=strategy,
            taken=decision.strategy,
            metric=judge.name,
            score=judge.of(answer, example.question),
            declined=answer is not None and not answer.answerable,
            failure=failed,
            tokens=bill[0],
            calls=bill[1],
            seconds=bill[2],
            money=bill[3],
            expected=planned.expected if planned else None,
            low=planned.low if planned else None,
            high=planned.high if planned else None,
            predicted=chosen.quality if chosen and decision.strategy else None,
            document_tokens=decision.signals.get("document_tokens"),
            expected_seconds=time.expected if time else None,
        )


def _within(example: Example, corpus: Corpus) -> Question:
    """The question, reading its own documents and no others."""
    names = tuple(document.id for document in example.documents)
    if not names or len(names) == len(corpus.documents):
        return example.question
    held = example.question.where or Where()
    return replace(example.question, where=replace(held, documents=tuple(map(escape, names))))


def _bills(store: JobStore) -> dict[str, _Bill]:
    found = store.query(_BILLED)
    return {name: (int(tokens), int(calls), float(seconds), money) for name, tokens, calls, seconds, money in found}


def _slug(name: str) -> str:
    """The name as part of a file's name, told apart from others that look alike there."""
    plain = re.sub(r"[^\w.-]+", "-", name)[:60]
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
