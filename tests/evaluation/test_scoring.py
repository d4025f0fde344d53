from __future__ import annotations

import pytest

from ragctx.errors import InputError
from ragctx.evaluation import correct, key_points, table_by_kind
from ragctx.types import Answer, Question

FACT = Question("How long is the notice?", id="f", kind="single fact", answerable=True, answers=("three months",))
WITHIN = Question("How fast?", id="w", kind="single fact", answers=("within three hours",))
COUNT = Question("How often?", id="c", kind="count", answers=("six", "6"))
NONE = Question("Who painted it?", id="n", kind="unanswerable", answerable=False)
SUMMARY = Question("Sum up.", id="s", kind="summary", metadata={"must_mention": "two weirs|two dams; June; Orla; 40"})
PARTS = Question("Who and when?", id="p", kind="multi-part", metadata={"must_mention": "Orla; June"})


def declining(text: str = "The documents do not say.") -> Answer:
    return Answer(text, answerable=False)


@pytest.mark.parametrize(
    ("question", "answer", "right"),
    [
        (FACT, Answer("The notice period is three months."), True),
        (FACT, Answer("months: three"), True),  # other order, F1 of 1
        (FACT, Answer("Six months."), False),
        (WITHIN, Answer("within six hours"), False),  # F1 of 2/3, but not the number
        (WITHIN, Answer("hours, within three"), True),
        (WITHIN, Answer("within three hours"), True),
        (COUNT, Answer("6"), True),
        (COUNT, Answer("6 times."), True),
        (COUNT, Answer("She came on 6 April and on 12 May."), False),  # a digit of a date
        (FACT, Answer("three months " + "and so on " * 50), False),  # recites
        (FACT, declining("three months"), False),  # declining an answerable question is wrong whatever it says
        (FACT, None, False),
        (NONE, declining(), True),
        (NONE, Answer("A Dutch painter."), False),
        (NONE, None, False),
        (SUMMARY, Answer("Two dams were mended by June."), True),  # 2 of 4
        (SUMMARY, Answer("Two dams were mended; 140 people came."), False),  # 1 of 4: 140 is not 40
        (PARTS, Answer("Orla, in June."), True),
        (PARTS, Answer("Orla."), False),  # a part is missing
    ],
)
def test_the_rule_by_kind(question: Question, answer: Answer | None, right: bool) -> None:
    assert correct(answer, question).correct is right


def test_scores_keep_their_parts() -> None:
    score = correct(Answer("Three months."), FACT)
    assert (score.em, score.f1, score.contains, score.points, score.abstained, score.failed) == (
        True, 1.0, True, None, False, False,
    )  # fmt: skip
    assert correct(Answer("Two dams, June"), SUMMARY).points == 0.5
    assert correct(declining(), NONE).abstained
    assert correct(None, NONE).failed


def test_key_points_are_split_and_stripped() -> None:
    assert key_points(PARTS) == (("Orla",), ("June",))
    assert key_points(FACT) == ()
    assert key_points(Question("?", metadata={"must_mention": " a | b ;; c; "})) == (("a", "b"), ("c",))


def test_a_question_without_gold_cannot_be_scored() -> None:
    with pytest.raises(InputError, match="has no gold"):
        correct(Answer("Yes."), Question("Is it?", id="bare"))


def test_table_by_kind() -> None:
    rows = table_by_kind(
        [(FACT, Answer("three months")), (NONE, declining()), (FACT, None), (FACT, declining()), (NONE, Answer("Yes."))]
    )
    assert [(row.kind, row.questions, row.correct, row.declined, row.failed) for row in rows] == [
        ("single fact", 3, 1, 1, 1),
        ("unanswerable", 2, 1, 1, 0),
    ]
    assert rows[0].share == pytest.approx(1 / 3)
    assert rows[0].f1 == pytest.approx(1 / 3)
    assert table_by_kind([]) == ()
