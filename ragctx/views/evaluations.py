"""Views of an evaluation: tables for a terminal and in Markdown, and a page with pictures that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from ragctx.errors import MissingExtra
from ragctx.views import text as terminal
from ragctx.views.anchors import Anchors
from ragctx.views.numbers import count, money, seconds, share, whole
from ragctx.views.page import cell, e, folded, notes, table, wrap

if TYPE_CHECKING:
    from ragctx.evaluation.results import Against, Evaluation, ScoredRow, Summary

_COSTS = ("asked", "score", "95 %", "declined", "failed", "tokens", "calls", "time", "money")
_COMPARED = ("difference", "95 %", "p", "share of its tokens")
_ROWS = ("question", "strategy", "read by", "score", "tokens", "outcome")
_SHOWN = 300
_LEAST = 0.001
_QUOTED = 160

_Table = tuple[str, tuple[str, ...], list[tuple[str, ...]], frozenset[str]]


def summary(found: Evaluation, baseline: str = "") -> RenderableType:
    """The tables of an evaluation, for a terminal."""
    parts: list[RenderableType] = []
    for title, columns, rows, numbers in _tables(found, baseline):
        made = terminal.table(*columns, numbers=tuple(numbers))
        for row in rows:
            made.add_row(*map(Text, row))
        parts += [Text(title, terminal.STRONG), made, Text("")]
    parts += [terminal.hanging(line, terminal.DIM) for line in _facts(found)]
    return Group(*parts, *terminal.notes(_notes(found)))


def markdown(found: Evaluation, baseline: str = "") -> str:
    """The same tables in Markdown."""
    parts = [f"# {_cell(found.title)}", ""]
    for title, columns, rows, numbers in _tables(found, baseline):
        rule = ["--:" if column in numbers else "---" for column in columns]
        parts += [f"## {title}", "", *("| " + " | ".join(map(_cell, row)) + " |" for row in (columns, rule, *rows)), ""]
    parts += [f"- {_cell(line)}" for line in (*_facts(found), *_notes(found))]
    return "\n".join(parts) + "\n"


def html(found: Evaluation, baseline: str = "") -> str:
    """Tables, pictures and every row; the pictures are part of the page, and no script is."""
    tables = [
        f"<h2>{e(title)}</h2>{_table(columns, rows, numbers)}"
        for title, columns, rows, numbers in _tables(found, baseline)
    ]
    facts = "".join(f'<div class="q">{e(line)}</div>' for line in _facts(found))
    drawn, lacking = _pictures(found)
    return wrap(notes([*_notes(found), *lacking]) + "".join(tables) + facts + drawn + _rows(found))


def _tables(found: Evaluation, baseline: str) -> list[_Table]:
    """What is told of each reader: its strategies, how they compare, and their scores by kind of question."""
    readers = tuple(dict.fromkeys(reader for reader, _ in found.arms))
    compared = found.against(baseline) if baseline else ()
    sums, by_kind = found.summaries(), found.by_kind()
    made: list[_Table] = []
    for reader in readers:
        of = f", {reader}" if len(readers) > 1 else ""
        made.append(_by_strategy(f"By strategy{of}", [one for one in sums if one.reader == reader]))
        rows = [_against(one) for one in compared if one.reader == reader]
        if rows:
            made.append((f"Against {baseline}{of}", ("strategy", *_COMPARED), rows, frozenset(_COMPARED)))
        kinds = [one for one in by_kind if one.reader == reader]
        if len({one.kind for one in kinds}) > 1:
            made.append(_by_kind(f"Score by kind of question{of}", kinds))
    return made


def _by_strategy(title: str, sums: Sequence[Summary]) -> _Table:
    # A column of question marks says nothing that one line less would not.
    columns = ("strategy", *(_COSTS if any(one.money is not None for one in sums) else _COSTS[:-1]))
    return title, columns, [_summed(one)[: len(columns)] for one in sums], frozenset(_COSTS)


def _by_kind(title: str, sums: Sequence[Summary]) -> _Table:
    """A row for each kind, a column for each strategy."""
    arms = tuple(dict.fromkeys(one.strategy for one in sums))
    scores = {(one.kind, one.strategy): one for one in sums}
    rows = []
    for kind in dict.fromkeys(one.kind for one in sums):
        mine = [scores.get((kind, arm)) for arm in arms]
        asked = max(one.questions for one in mine if one)
        rows.append((kind or "(no kind)", whole(asked), *(f"{one.score:.3f}" if one else "" for one in mine)))
    return title, ("kind", "questions", *arms), rows, frozenset({"questions", *arms})


def _summed(one: Summary) -> tuple[str, ...]:
    interval = f"{one.low:.3f} to {one.high:.3f}"
    counts = (whole(one.questions), f"{one.score:.3f}", interval, whole(one.declined), whole(one.failed))
    return (one.strategy, *counts, whole(one.tokens), f"{one.calls:.1f}", seconds(one.seconds), money(one.money))


def _against(one: Against) -> tuple[str, ...]:
    found = one.comparison
    cost = "?" if one.token_share is None else share(one.token_share)
    shown = (f"{found.difference:+.3f}", f"{found.low:+.3f} to {found.high:+.3f}", _p(found.p), cost)
    return (one.strategy, *shown)


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= _LEAST else f"< {_LEAST}"


def _facts(found: Evaluation) -> list[str]:
    told = [f"{name}: {source}" for name, source in found.metrics.items()]
    told.append("score, tokens, calls, time and money are means over questions; a failure scores 0 and its cost counts")
    groups = len({row.group for row in found.rows})
    told.append(f"intervals by bootstrap over {count(groups, 'document')}")
    if found.plan_error is not None:
        held = "" if found.plan_held is None else f", {share(found.plan_held)} of questions within the plan's bounds"
        told.append(f"plan against actual: tokens off by {share(found.plan_error)} in the median{held}")
    if found.calibration_error is not None:
        told.append(f"predicted quality: expected calibration error {found.calibration_error:.3f}")
    return told


def _notes(found: Evaluation) -> list[str]:
    left = [f"{count(found.pending, 'row')} not asked: run the same experiment again and it goes on"]
    return [*(left if found.pending else []), *found.notes]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: frozenset[str]) -> str:
    return table(columns, [tuple(map(cell, row)) for row in rows], numbers)


def _pictures(found: Evaluation) -> tuple[str, list[str]]:
    from ragctx.evaluation import plots

    try:
        drawn = plots.pictures(found)
    except MissingExtra as missing:
        return "", [f"no pictures: {missing}"]
    here = Anchors.fresh(found.title + str(len(found.rows)))
    shown = (
        f'<h2>{e(title)}</h2><div class="picture">{plots.svg(figure, f"{here.prefix}-{number}")}</div>'
        for number, (title, figure) in enumerate(drawn.items(), 1)
    )
    return "<style>.ragctx .picture svg{max-width:100%;height:auto}</style>" + "".join(shown), []


def _rows(found: Evaluation) -> str:
    # Failures first, then the lowest scores: what one opens the list for.
    worst = sorted(found.rows, key=lambda row: (not row.failure, row.score))
    rows = [_told(row) for row in worst[:_SHOWN]]
    more = len(found.rows) - len(rows)
    tail = f'<div class="q">and {e(whole(more))} more</div>' if more else ""
    return folded(
        "every row, failures and low scores first", _table(_ROWS, rows, frozenset({"score", "tokens"})) + tail
    )


def _told(row: ScoredRow) -> tuple[str, ...]:
    outcome = row.failure or ("declined" if row.declined else "answered")
    asked = terminal.one_line(f"{row.question}: {row.text}", _QUOTED)
    read = row.taken or "none"
    return (asked, f"{row.strategy}, {row.reader}", read, f"{row.score:.2f}", whole(row.tokens), outcome)


def _cell(said: str) -> str:
    return " ".join(said.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
