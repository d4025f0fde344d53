"""The outcome matrix: what every strategy scored and cost on every question, with the signals seen before it read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ragctx.errors import InputError, LimitError
from ragctx.evaluation.experiment import Experiment
from ragctx.routing import signals
from ragctx.routing.fitting import Outcome
from ragctx.routing.wording import wording

if TYPE_CHECKING:
    from ragctx.evaluation.results import ScoredRow
    from ragctx.pipeline import Pipeline
    from ragctx.types import Question


@dataclass(frozen=True, slots=True)
class Cell:
    """One strategy's run on one question.

    Attributes:
        score: 0 to 1; 0 where it failed. tokens, seconds: what it cost.
        expected, low, high: the tokens that its plan gave. declined: it said that the documents do not tell.
    """

    score: float
    tokens: float
    seconds: float = 0.0
    expected: float | None = None
    expected_seconds: float | None = None
    low: float | None = None
    high: float | None = None
    declined: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """One question read by one reader.

    Attributes:
        reader: the model's own name. cells: strategy -> its run; those that could not read it here are not there.
    """

    question: str
    group: str
    kind: str
    reader: str
    signals: Mapping[str, float] = field(default_factory=dict)
    cells: Mapping[str, Cell] = field(default_factory=dict)

    @property
    def outcome(self) -> Outcome:
        """What predictors are fitted on."""
        scores = {name: cell.score for name, cell in self.cells.items()}
        return Outcome(self.question, self.kind or "any", self.reader, self.signals, scores, self.group)

    def whole(self, unit: str) -> float:
        """Tokens of reading everything: those of the unit strategy, else of the documents."""
        cell = self.cells.get(unit)
        known = cell.tokens if cell else self.signals.get("document_tokens", 0.0)
        return known or max((cell.tokens for cell in self.cells.values()), default=0.0) or 1.0


@dataclass(frozen=True, slots=True)
class Matrix:
    """Every row; a file of JSON lines, one a row.

    Example:
        >>> cells = {"full": Cell(1.0, 900.0), "retrieve": Cell(0.0, 90.0)}
        >>> matrix = Matrix((Asked("q1", "lease.txt", "fact", "m", {"words": 8.0}, cells),))
        >>> matrix.strategies, matrix.rows[0].whole("full")
        (('full', 'retrieve'), 900.0)
    """

    rows: tuple[Asked, ...]

    @property
    def strategies(self) -> tuple[str, ...]:
        """Names of all that were run, sorted."""
        return tuple(sorted({name for row in self.rows for name in row.cells}))

    @property
    def readers(self) -> tuple[str, ...]:
        """Names of all readers, sorted."""
        return tuple(sorted({row.reader for row in self.rows}))

    def write(self, path: Path) -> None:
        """Write the file whole."""
        from ragctx.types.serial import dump

        path.write_text("".join(dump(row) + "\n" for row in self.rows), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Matrix:
        """The file that `write` wrote.

        Raises:
            InputError: it cannot be read, or a line is no row, is there twice or scores out of range; it is named.
        """
        from pydantic import ValidationError

        from ragctx.types.serial import load

        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read the outcomes {path}: {error}; name what ragctx calibrate wrote") from error
        rows = []
        for number, line in enumerate(lines, 1):
            try:
                rows.append(load(Asked, line))
            except (ValidationError, json.JSONDecodeError) as error:
                raise InputError(f"{path}, line {number}: {error}; run ragctx calibrate again") from error
        return cls(tuple(rows)).checked(str(path))

    def checked(self, source: str = "the outcomes") -> Matrix:
        """Itself.

        Raises:
            InputError: a row is there twice, has no strategy, or has a number out of range; it is named.
        """
        if not self.rows:
            raise InputError(f"{source}: no row; give questions with gold answers")
        many = Counter((row.question, row.reader) for row in self.rows)
        for number, row in enumerate(self.rows, 1):
            where = f"{source}, row {number} ({row.question})"
            if many[row.question, row.reader] > 1:
                raise InputError(f"{where}: the question is there twice for {row.reader}: give each an id of its own")
            for name, cell in row.cells.items():
                if not 0 <= cell.score <= 1:
                    raise InputError(f"{where}: {name} scored {cell.score}, which must be from 0 to 1")
                if not (0 <= cell.tokens < float("inf") and 0 <= cell.seconds < float("inf")):
                    raise InputError(f"{where}: {name} has costs that are no numbers from 0 up")
        return self


def measured(experiment: Experiment, on_event: Callable[[object], None] | None = None) -> Matrix:
    """Runs an experiment, or goes on with it, and puts what was scored beside the signals of each question.

    Raises:
        LimitError: rows are left that the ceiling did not admit. InputError: nothing was asked. ConfigError: as
            `Experiment.run`.
    """
    seen: dict[tuple[str, str], tuple[str, dict[str, float]]] = {}

    def look(reader: str, pipeline: Pipeline, asked: Sequence[Question]) -> None:
        name = pipeline.models.reader.name
        for question in asked:
            seen[reader, question.id] = (
                name,
                signals(question, pipeline.corpus, pipeline.models, pipeline.policy) | wording(question.text),
            )

    found = experiment.run(on_event, on_reader=look)
    if found.pending:
        raise LimitError(
            f"{found.pending} rows were not asked for want of money, and a matrix with holes would favour whoever "
            "stopped late: raise the ceiling and run it again, what was asked is kept"
        )
    return Matrix(tuple(_rows(found.rows, seen))).checked()


def _rows(scored: Iterable[ScoredRow], seen: Mapping[tuple[str, str], tuple[str, dict[str, float]]]) -> Iterable[Asked]:
    held: dict[tuple[str, str], list[ScoredRow]] = {}
    for row in scored:
        held.setdefault((row.reader, row.question), []).append(row)
    for at, rows in held.items():
        name, told = seen[at]
        cells = {
            row.strategy: _cell(row)
            for row in rows
            if row.taken  # what did not fit window or budget was not read: the router leaves it out by itself
        }
        if cells:
            yield Asked(rows[0].question, rows[0].group, rows[0].kind, name, told, cells)


def _cell(row: ScoredRow) -> Cell:
    return Cell(row.score, row.tokens, row.seconds, row.expected, row.expected_seconds, row.low, row.high, row.declined)
