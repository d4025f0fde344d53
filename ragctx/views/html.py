"""HTML for notebooks and files: self-contained, no JavaScript, every piece of outside text escaped, dark and light.

Notebooks reach these through `_repr_html_`, which imports this module only when it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ragctx.types import Answer, Charge, Citation, Coverage
from ragctx.views import answers, plans
from ragctx.views.compressions import html as compression
from ragctx.views.numbers import count, money, seconds, share, short, spread, whole
from ragctx.views.page import e, folded, notes, page, pairs, table, wrap

if TYPE_CHECKING:
    from ragctx.batch import Status
    from ragctx.corpus import Corpus
    from ragctx.routing import Plan, PlanRow

UNREAD_SHOWN = 50

__all__ = ["answer", "compression", "corpus", "page", "plan", "status"]


def answer(value: Answer) -> str:
    """The answer, the sentences it rests on, the account, and on request coverage, the other strategies, the bill."""
    parts = [f'<div class="text{"" if value.answerable else " warn"}">{e(value.text)}</div>']
    parts += map(_quote, value.citations)
    if value.unverified:
        parts.append(notes([answers.unverified(value.unverified)]))
    parts += [f'<div class="q">{e(line)}</div>' for line in answers.accounted(value)]
    parts += [
        notes(value.notes),
        _read(value.coverage),
        _unread(value),
        _candidates(value),
        _signals(value),
        _bill(value),
    ]
    return wrap("".join(parts))


def _quote(citation: Citation) -> str:
    quoted = e(" ".join(citation.text.split()))
    return f'<blockquote>{quoted}<div class="q">{e(answers.place(citation))}</div></blockquote>'


def _read(coverage: Sequence[Coverage]) -> str:
    if not coverage:
        return ""
    touched, rest = answers.opened(coverage)
    rows = [(e(c.document), _bar(c.share), f"{whole(c.read)} of {whole(c.length)}") for c in touched]
    body = table(["document", "read", "characters"], rows, {"characters"})
    tail = f'<div class="q">{e(rest)}</div>' if rest else ""
    return folded("what was read", body + tail)


def _unread(value: Answer) -> str:
    if not value.dropped:
        return ""
    shown = value.dropped[:UNREAD_SHOWN]
    rows = [(e(d.span.document), e(f"{d.span.start}-{d.span.end}"), e(d.reason)) for d in shown]
    more = len(value.dropped) - len(shown)
    tail = f'<div class="q">and {e(whole(more))} more</div>' if more else ""
    head = f'<div class="q">{e(answers.left(value.dropped))}</div>'
    return folded(
        "what was considered and left unread", head + table(["document", "characters", "reason"], rows) + tail
    )


def _bar(value: float) -> str:
    return f'<span class="bar"><i style="width:{max(0.0, min(1.0, value)) * 100:.0f}%"></i></span> {e(share(value))}'


def _candidates(value: Answer) -> str:
    if value.decision is None or not value.decision.candidates:
        return ""
    rows = [
        (e(c.strategy), f"{c.quality:.2f}", f"{c.cost:.2f}", f"{c.score:.2f}", e(spread(c.estimate.tokens)), e(reason))
        for c in value.decision.candidates
        for reason in ["chosen" if c.strategy == value.decision.strategy else c.rejected or "lower score"]
    ]
    columns = ["strategy", "quality", "cost", "score", "tokens", "outcome"]
    policy = answers.policy(value.decision) if value.decision.policy else ""
    body = table(columns, rows, {"quality", "cost", "score", "tokens"}) + f'<div class="q">{e(policy)}</div>'
    return folded("what else it could have cost", body)


def _signals(value: Answer) -> str:
    if value.decision is None or not value.decision.signals:
        return ""
    return folded("signals", pairs((name, short(number)) for name, number in value.decision.signals.items()))


def _bill(value: Answer) -> str:
    if not value.usage.charges:
        return ""
    columns = ["role", "purpose", "model", "prompt", "cached", "output", "time", "money"]
    rows = [tuple(map(e, _charged(charge))) for charge in value.usage.charges]
    return folded("bill", table(columns, rows, {"prompt", "cached", "output", "time", "money"}))


def _charged(charge: Charge) -> tuple[str, ...]:
    tokens = (whole(charge.prompt), whole(charge.cached), whole(charge.output))
    return (charge.role, charge.purpose, answers.model(charge), *tokens, seconds(charge.seconds), money(charge.money))


def plan(value: Plan) -> str:
    """One row a question, with the reason below it, and the totals."""
    priced = value.totals.money is not None and bool(value.rows)
    columns = ["question", "strategy", "tokens", "calls", "time"] + ["money"] * priced
    common, out = plans.repeated(value), plans.refusals(value)
    rows = [_plan_row(row, common, out)[: len(columns)] for row in value.rows]
    body = table(columns, rows, {"tokens", "calls", "time", "money"})
    return wrap(f"{body}<p><b>{e(plans.totals(value))}</b></p>{notes([*value.notes, *common, *plans.told(out)])}")


def _plan_row(row: PlanRow, common: Sequence[str], out: plans.Refusals) -> tuple[str, ...]:
    estimate, decision = row.estimate, row.decision
    why = [decision.why, *(f"note: {note}" for note in estimate.notes if note not in common)]
    why += [
        f"not {c.strategy}: {plans.rejection(c)}"
        for c in decision.rejected
        if decision.strategy and c.rejected not in decision.why and not plans.among(c, out)
    ]
    question = e(row.question.text) + "".join(f'<div class="q">{e(line)}</div>' for line in why)
    return (
        question,
        e(decision.strategy) or '<span class="warn">none</span>',
        e(spread(estimate.tokens)),
        e(spread(estimate.calls)),
        e(seconds(estimate.seconds.expected if estimate.seconds else None)),
        e(money(estimate.money.expected if estimate.money else None)),
    )


def corpus(value: Corpus) -> str:
    """The documents with their lengths, the first fifty of them, and the files that could not be read."""
    shown = list(value.documents[:50])
    rows = [(e(d.id), e(whole(len(d.text))), e(len(d.pages) or "")) for d in shown]
    more = len(value.documents) - len(shown)
    tail = f'<div class="q">and {e(count(more, "more document", "more documents"))}</div>' if more > 0 else ""
    head = f"{count(len(value.documents), 'document')}, {count(value.characters, 'character')}"
    body = table(["document", "characters", "pages"], rows, {"characters", "pages"}) + tail
    return wrap(f"<b>{e(head)}</b>{body}{notes([*map(str, value.problems), *value.notes])}")


def status(value: Status) -> str:
    """Where a job stands and what it spent."""
    done = (value.done + value.failed) / value.total if value.total else 1.0
    states = {
        "answered": value.answered,
        "declined": value.declined,
        "failed": value.failed,
        "pending": value.pending,
        "tokens": value.tokens,
    }
    row = {name: whole(number) for name, number in states.items()} | {"model time": seconds(value.seconds)}
    row |= {} if value.money is None else {"money": money(value.money)}
    body = table([*row], [tuple(map(e, row.values()))], set(row))
    failures = [f"failed: {name} ({count(times, 'row')})" for name, times in value.failures.items()]
    said = [*failures, *([value.stopped] if value.stopped else [])]
    return wrap(f"<b>{e(count(value.total, 'question'))}</b> {_bar(done)}{body}{notes(said)}")
