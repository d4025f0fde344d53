"""HTML for notebooks and files: self-contained, no JavaScript, every piece of outside text escaped, dark and light.

`Answer` and `Plan` reach these through `_repr_html_`, which imports this module only when a notebook asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from ragctx.types import Answer, Coverage
from ragctx.views.numbers import money, seconds, share, spread, whole
from ragctx.views.terminal import account

if TYPE_CHECKING:
    from ragctx.routing import Plan, PlanRow

# Colours are the notebook's own where it has any (currentColor, transparent), so that dark themes work.
STYLE = """<style>
.ragctx{font:14px/1.5 system-ui,sans-serif;max-width:60rem;color:inherit}
.ragctx table{border-collapse:collapse;margin:.5em 0;width:100%}
.ragctx th{text-align:left;font-weight:600;border-bottom:1px solid #8886}
.ragctx td,.ragctx th{padding:.3em .8em .3em 0;vertical-align:top;background:transparent;color:inherit}
.ragctx td.n,.ragctx th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.ragctx .q{opacity:.72;font-size:13px}
.ragctx blockquote{margin:.4em 0;padding:.1em .8em;border-left:3px solid #4a90d9;white-space:pre-wrap}
.ragctx .text{font-size:16px;white-space:pre-wrap;margin:.2em 0 .6em}
.ragctx .warn{border-left:3px solid #d9822b;padding-left:.8em}
.ragctx .bar{display:inline-block;width:8rem;height:.6em;background:#8884;border-radius:3px;overflow:hidden}
.ragctx .bar i{display:block;height:100%;background:#4a90d9}
.ragctx details{margin:.3em 0}.ragctx summary{cursor:pointer}
</style>"""


def _wrap(body: str) -> str:
    return f'{STYLE}<div class="ragctx">{body}</div>'


def page(title: str, body: str) -> str:
    """A whole file around a view."""
    head = f'<meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>{escape(title)}</title>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body style="margin:2rem">{body}</body></html>'


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: frozenset[str] = frozenset()) -> str:
    """A table whose cells are already HTML; columns named in `numbers` are set right."""
    marks = ['class="n"' if column in numbers else "" for column in columns]
    head = "".join(f"<th {mark}>{escape(column)}</th>" for mark, column in zip(marks, columns, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td {mark}>{cell}</td>' for mark, cell in zip(marks, row, strict=True))}</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def answer(value: Answer) -> str:
    """The answer, the sentences it rests on, the account, and on request coverage and the rejected strategies."""
    kind = "text" if value.answerable else "text warn"
    parts = [f'<div class="{kind}">{escape(value.text)}</div>', *map(_quote, value.citations)]
    if value.unverified:
        parts.append(
            f'<div class="warn">{value.unverified} citation(s) dropped: the cited text does not carry it</div>'
        )
    parts.append(f'<div class="q">{escape(account(value))}</div>')
    if value.decision:
        parts.append(f'<div class="q">why {escape(value.strategy)}: {escape(value.decision.why)}</div>')
    parts += [f'<div class="warn">{escape(note)}</div>' for note in value.notes]
    return _wrap("".join([*parts, _read(value.coverage), _candidates(value)]))


def _quote(citation: object) -> str:
    from ragctx.types import Citation

    assert isinstance(citation, Citation)
    place = citation.source + (f", page {citation.page}" if citation.page else "")
    quoted = escape(" ".join(citation.text.split()))
    return f'<blockquote>{quoted}<div class="q">{escape(place)}</div></blockquote>'


def _read(coverage: Sequence[Coverage]) -> str:
    if not coverage:
        return ""
    rows = [
        (escape(c.document), _bar(c.share), f"{whole(c.read)} of {whole(c.length)}")
        for c in sorted(coverage, key=lambda c: -c.read)
    ]
    body = table(["document", "read", "characters"], rows, frozenset({"characters"}))
    return f"<details><summary>what was read</summary>{body}</details>"


def _bar(value: float) -> str:
    return f'<span class="bar"><i style="width:{value * 100:.0f}%"></i></span> {escape(share(value))}'


def _candidates(value: Answer) -> str:
    if value.decision is None or not value.decision.candidates:
        return ""
    numbers = frozenset({"quality", "cost", "score", "tokens"})
    rows = [
        (
            escape(c.strategy),
            f"{c.quality:.2f}",
            f"{c.cost:.2f}",
            f"{c.score:.2f}",
            escape(spread(c.estimate.tokens)),
            escape(c.rejected or "chosen"),
        )
        for c in value.decision.candidates
    ]
    columns = ["strategy", "quality", "cost", "score", "tokens", "rejected because"]
    return f"<details><summary>what else it could have cost</summary>{table(columns, rows, numbers)}</details>"


def plan(value: Plan) -> str:
    """One row a question, with the reason below it, and the totals."""
    columns = ["question", "strategy", "tokens", "calls", "time", "money"]
    rows = [_plan_row(row) for row in value.rows]
    totals = value.totals
    line = (
        f"{len(rows)} questions, {spread(totals.tokens)} tokens, {spread(totals.calls)} calls, "
        f"{seconds(totals.seconds.expected if totals.seconds else None)}. Nothing spent yet."
    )
    notes = "".join(f'<div class="warn">{escape(note)}</div>' for note in value.notes)
    numbers = frozenset({"tokens", "calls", "time", "money"})
    return _wrap(f"{table(columns, rows, numbers)}<b>{escape(line)}</b>{notes}")


def _plan_row(row: PlanRow) -> tuple[str, ...]:
    estimate = row.estimate
    rejected = "".join(
        f"<br>not {escape(c.strategy)}: {escape(c.rejected or 'lower score')}" for c in row.decision.rejected
    )
    question = f'{escape(row.question.text)}<div class="q">{escape(row.decision.why)}{rejected}</div>'
    return (
        question,
        escape(row.decision.strategy),
        escape(spread(estimate.tokens)),
        escape(spread(estimate.calls)),
        escape(seconds(estimate.seconds.expected if estimate.seconds else None)),
        escape(money(estimate.money.expected if estimate.money else None)),
    )
