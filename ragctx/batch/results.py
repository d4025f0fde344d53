"""What a job gives back: one result a row, its failure if it failed, and what was really spent."""

from __future__ import annotations

from dataclasses import dataclass

from ragctx.errors import RagctxError
from ragctx.types import Answer, Decision, Question


@dataclass(frozen=True, slots=True)
class RowFailure:
    """Why a row has no answer.

    Attributes:
        name: the error's class. message: what happened and what to do next. exit_code: of that class.
        attempts: how often the row was tried, over all runs of the job.
    """

    name: str
    message: str
    exit_code: int = 1
    attempts: int = 1

    @classmethod
    def of(cls, error: BaseException, attempts: int = 1) -> RowFailure:
        """The failure that an error amounts to.

        Example:
            >>> from ragctx.errors import RequestFailed
            >>> RowFailure.of(RequestFailed("timeout", "no reply within 60 s"))
            RowFailure(name='RequestFailed', message='no reply within 60 s', exit_code=5, attempts=1)
        """
        code = error.exit_code if isinstance(error, RagctxError) else 1
        message = (str(error) or repr(error)).encode("utf-8", "replace").decode()
        return cls(type(error).__name__, message, code, attempts)


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One row of a job as it was frozen.

    Attributes:
        position: place in the order the questions were given, from 0. turn: place in the order they are asked.
        key: hash of question, documents and configuration.
        money: expected, None where no price is known.
    """

    position: int
    turn: int
    key: str
    question: Question
    decision: Decision
    money: float | None = None


@dataclass(frozen=True, slots=True)
class RowResult:
    """One finished row: an answer or a failure, never both and never neither."""

    position: int
    question: Question
    decision: Decision
    answer: Answer | None = None
    failure: RowFailure | None = None

    @property
    def id(self) -> str:
        """The question's id."""
        return self.question.id


@dataclass(frozen=True, slots=True)
class Spent:
    """What was billed, over every run of the job and whether or not the row was finished.

    Attributes:
        money: None where no call had a known price. seconds: of the calls, summed, not wall-clock.
    """

    prompt: int = 0
    output: int = 0
    calls: int = 0
    seconds: float = 0.0
    money: float | None = None

    @property
    def tokens(self) -> int:
        """Prompt plus output."""
        return self.prompt + self.output
