"""Scores an answer against the gold that a question carries.

The rule for `correct`, by what the question says of itself:

- **not answerable**: correct if the answer declines, and only then;
- **answerable**: an answer that declines is wrong, whatever text it comes with;
- **with key points** (`metadata["must_mention"]`: points between semicolons, accepted wordings of one point between
  bars): correct if enough of the points occur as whole words. A summary needs half of them, every other kind all;
- **with gold answers**: correct if the text is one of them; or if one of them, longer than one character, occurs as
  whole words in a text of at most 100 words (one that recites the passage has not answered); or if every word of one
  of them occurs in any order and the token F1 against it is at least 0.6. F1 alone is not enough: "within six hours"
  has two words of three in common with "within three hours".

A question that failed is not correct. These are automatic stand-ins for a judge: quick, repeatable, and blind to
wordings nobody listed; compare systems by them, and read the answers before quoting an absolute figure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ragctx.errors import InputError
from ragctx.evaluation.metrics import contains, covers, exact_match, token_f1
from ragctx.types import Answer, Question

POINTS = "must_mention"
F1_FLOOR = 0.6
MOST_WORDS = 100
POINT_SHARES = {"summary": 0.5}  # kinds not named need every point


@dataclass(frozen=True, slots=True)
class Score:
    """How one answer did.

    Attributes:
        correct: by the rule of this module.
        em, f1, contains: against the gold answers; 0 and False where the question has none or the answer declined.
        points: share of the key points mentioned; None where the question names none.
        abstained: the answer declined. failed: there was no answer at all.
    """

    correct: bool
    em: bool = False
    f1: float = 0.0
    contains: bool = False
    points: float | None = None
    abstained: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True)
class KindRow:
    """What became of the questions of one kind."""

    kind: str
    questions: int
    correct: int
    declined: int
    failed: int
    f1: float

    @property
    def share(self) -> float:
        """Share correct, 0 to 1, failures included in the count."""
        return self.correct / self.questions


def key_points(question: Question) -> tuple[tuple[str, ...], ...]:
    """The points an answer must mention, each with its accepted wordings.

    Example:
        >>> key_points(Question("Sum it up.", metadata={"must_mention": "two weirs|two dams; June"}))
        (('two weirs', 'two dams'), ('June',))
    """
    points = str(question.metadata.get(POINTS) or "").split(";")
    return tuple(tuple(word.strip() for word in point.split("|") if word.strip()) for point in points if point.strip())


def correct(answer: Answer | None, question: Question) -> Score:
    """The score of an answer; None stands for a question that failed.

    Raises:
        InputError: the question carries no gold: neither answers nor key points, nor the label "not answerable".

    Example:
        >>> asked = Question("How long is the notice?", answers=("three months", "3 months"))
        >>> correct(Answer("It is three months."), asked).correct
        True
    """
    points = key_points(question)
    if question.answerable is not False and not question.answers and not points:
        raise InputError(f"question {question.id} has no gold: give it answers, {POINTS}, or answerable false")
    if answer is None:
        return Score(correct=False, failed=True)
    if not answer.answerable:
        return Score(correct=question.answerable is False, abstained=True)
    return _answered(answer.text, question, points)


def table_by_kind(pairs: Iterable[tuple[Question, Answer | None]]) -> tuple[KindRow, ...]:
    """One row for each kind of question, in the order the kinds first appear.

    Example:
        >>> asked = Question("Who?", answers=("Ada",), kind="single fact")
        >>> [(row.kind, row.share) for row in table_by_kind([(asked, Answer("Ada.")), (asked, None)])]
        [('single fact', 0.5)]
    """
    scores: dict[str, list[Score]] = {}
    for question, answer in pairs:
        scores.setdefault(question.kind, []).append(correct(answer, question))
    return tuple(_row(kind, given) for kind, given in scores.items())


def _answered(text: str, question: Question, points: tuple[tuple[str, ...], ...]) -> Score:
    mentioned = sum(contains(text, point) for point in points) / len(points) if points else None
    enough = POINT_SHARES.get(question.kind, 1.0)
    right = _right(text, question.answers) if mentioned is None else mentioned >= enough
    return Score(
        correct=right and question.answerable is not False,
        em=exact_match(text, question.answers),
        f1=token_f1(text, question.answers),
        contains=contains(text, question.answers),
        points=mentioned,
    )


def _right(text: str, answers: tuple[str, ...]) -> bool:
    # A single digit stands in too many dates and clauses to prove anything.
    telling = [answer for answer in answers if len(answer.strip()) > 1]
    if exact_match(text, answers) or (contains(text, telling) and len(text.split()) <= MOST_WORDS):
        return True
    return any(covers(text, [answer]) and token_f1(text, [answer]) >= F1_FLOOR for answer in answers)


def _row(kind: str, scores: list[Score]) -> KindRow:
    return KindRow(
        kind=kind,
        questions=len(scores),
        correct=sum(score.correct for score in scores),
        declined=sum(score.abstained for score in scores),
        failed=sum(score.failed for score in scores),
        f1=sum(score.f1 for score in scores) / len(scores),
    )
