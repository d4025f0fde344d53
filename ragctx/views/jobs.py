"""Terminal views of a batch job: a row as it finishes, where the job stands, and how it scored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from ragctx.views.answers import accounted, citation
from ragctx.views.numbers import count, money, seconds, share, whole
from ragctx.views.text import BAD, DIM, STRONG, WARN, block, hanging, notes, numbered, one_line, table

if TYPE_CHECKING:
    from ragctx.batch import RowResult, Status
    from ragctx.evaluation.scoring import KindRow

ANSWER_SHOWN = 400
QUOTED = 160
CITATIONS_SHOWN = 2


def row(value: RowResult, total: int) -> RenderableType:
    """One finished row: question, answer, the sentences it rests on, cost and why."""
    by = len(f"{total}. ")
    parts: list[RenderableType] = [numbered(value.position + 1, total, value.question.text)]
    if value.answer is None:
        failed = f"{value.failure.name}: {value.failure.message}" if value.failure else "no answer"
        parts.append(block(f"failed: {one_line(failed)}", BAD, by))
        parts += [block(f"why: {value.decision.why}", DIM, by)] if value.decision.why else []
        return Group(*parts, Text(""))
    told = value.answer
    parts.append(block(one_line(told.text, ANSWER_SHOWN), "green" if told.answerable else WARN, by))
    cited = enumerate(told.citations[:CITATIONS_SHOWN], 1)
    parts += [citation(found, number, most=QUOTED, by=by) for number, found in cited]
    parts += [block(line, DIM, by) for line in accounted(told)]
    return Group(*parts, Text(""))


def status(value: Status) -> RenderableType:
    """Where a job stands, what it spent, and how the plan held."""
    states = f"{whole(value.answered)} answered, {whole(value.declined)} declined, {whole(value.failed)} failed"
    spent = f"spent: {count(value.tokens, 'token')}, {seconds(value.seconds)} of model time"
    spent += "" if value.money is None else f", money {money(value.money)}"
    lines: list[RenderableType] = [
        hanging(f"{count(value.total, 'question')}: {states}, {whole(value.pending)} pending", STRONG),
        hanging(spent),
    ]
    if value.ratios:
        held = ", ".join(f"{name} {share(ratio)}" for name, ratio in value.ratios.items())
        lines.append(hanging(f"actual against planned: {held}", DIM))
    lines += [hanging(f"failed: {name} ({count(times, 'row')})", BAD) for name, times in value.failures.items()]
    return Group(*lines, *notes([value.stopped] if value.stopped else []))


def kinds(rows: Sequence[KindRow]) -> RenderableType:
    """Share correct by kind of question, with what was declined and what failed, and all kinds together."""
    numbers = ("questions", "correct", "share", "declined", "failed", "F1")
    made = table("kind", *numbers, numbers=numbers)
    for line in rows:
        made.add_row(Text(line.kind or "(no kind)"), *_figures([line]))
    if len(rows) > 1:
        made.add_row(Text("all"), *_figures(rows), style=STRONG)
    return made


def _figures(lines: Sequence[KindRow]) -> tuple[str, ...]:
    """The figures of some kinds together."""
    questions, correct = sum(line.questions for line in lines), sum(line.correct for line in lines)
    f1 = sum(line.f1 * line.questions for line in lines) / questions if questions else 0.0
    declined, failed = sum(line.declined for line in lines), sum(line.failed for line in lines)
    found = share(correct / questions) if questions else "?"
    return (whole(questions), whole(correct), found, whole(declined), whole(failed), f"{f1:.2f}")
