"""HTML for notebooks and files: self-contained, no JavaScript, every piece of outside text escaped, dark and light.

Notebooks reach these through `_repr_html_`, which imports this module only when it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ragctx.types import Answer, Candidate, Charge, Citation, Coverage, Document
from ragctx.views import answers, plans
from ragctx.views.anchors import Anchors
from ragctx.views.compressions import html as compression
from ragctx.views.contexts import html as context
from ragctx.views.numbers import count, money, seconds, share, short, spread, whole
from ragctx.views.page import cell, e, folded, notes, page, pairs, table, wrap
from ragctx.views.text import one_line

if TYPE_CHECKING:
    from ragctx.batch import Status
    from ragctx.corpus import Corpus
    from ragctx.routing import Plan, PlanRow

UNREAD_SHOWN = 50
DOCUMENTS_SHOWN = 50
BEGINNING = 90
NAMED = 120
OPEN = 12
_ESTIMATED = ("quality", "cost", "score", "tokens", "calls")

__all__ = ["answer", "compression", "context", "corpus", "page", "plan", "status"]


def answer(value: Answer) -> str:
    """The answer, the sentences it rests on, the account, and on request coverage, the other strategies, the bill."""
    here = Anchors.fresh(value.text + value.question)
    links = "".join(f"<sup>{here.to(f'c{n}', f'[{n}]')}</sup>" for n, _ in enumerate(value.citations, 1))
    warn = "" if value.answerable else " warn"
    parts = [f'<div class="text{warn}"{here.id("answer")}>{e(value.text)}{links}</div>']
    opened = {c.document: place for place, c in enumerate(answers.opened(value.coverage)[0])}
    parts += [_quote(found, n, opened, here) for n, found in enumerate(value.citations, 1)]
    if value.unverified:
        parts.append(notes([answers.unverified(value.unverified)]))
    parts += [f'<div class="q">{e(line)}</div>' for line in answers.accounted(value)]
    parts += [
        notes(value.notes),
        _read(value.coverage, here),
        _unread(value),
        _candidates(value),
        _signals(value),
        _bill(value),
    ]
    return wrap("".join(parts))


def _quote(citation: Citation, number: int, opened: Mapping[str, int], here: Anchors) -> str:
    """The sentence; its number leads back to the answer, its place to how much of the document was read."""
    quoted, place = e(" ".join(citation.text.split())), e(answers.place(citation))
    row = opened.get(citation.span.document)
    linked = place if row is None else here.to(f"d{row}", place)
    back = here.to("answer", f"[{number}]")
    return f'<blockquote{here.id(f"c{number}")}>{back} {quoted}<div class="q">{linked}</div></blockquote>'


def _read(coverage: Sequence[Coverage], here: Anchors) -> str:
    if not coverage:
        return ""
    touched, rest = answers.opened(coverage)
    rows = [
        (f"<span{here.id(f'd{place}')}>{e(c.document)}</span>", _bar(c.share), f"{whole(c.read)} of {whole(c.length)}")
        for place, c in enumerate(touched)
    ]
    body = table(["document", "read", "characters"], rows, {"characters"})
    tail = f'<div class="q">{e(rest)}</div>' if rest else ""
    return folded("what was read", body + tail)


def _unread(value: Answer) -> str:
    if not value.dropped:
        return ""
    shown = value.dropped[:UNREAD_SHOWN]
    rows = [(e(one_line(d.span.document, NAMED)), e(f"{d.span.start}-{d.span.end}"), cell(d.reason)) for d in shown]
    more = len(value.dropped) - len(shown)
    tail = f'<div class="q">and {e(whole(more))} more</div>' if more else ""
    head = f'<div class="q">{e(answers.left(value.dropped))}</div>'
    return folded(
        "what was considered and left unread", head + table(["document", "characters", "reason"], rows) + tail
    )


def _bar(value: float, said: str | None = None) -> str:
    width = max(0.0, min(1.0, value)) * 100
    told = share(value) if said is None else said
    return f'<span class="bared"><span class="bar"><i style="width:{width:.0f}%"></i></span> {e(told)}</span>'


def _candidates(value: Answer) -> str:
    """Every strategy with its estimate; those that were out before anything was estimated share a line a reason."""
    if value.decision is None or not value.decision.candidates:
        return ""
    decision, out = value.decision, dict[str, list[str]]()
    rows: list[tuple[str, ...]] = []
    for c in decision.candidates:
        if c.strategy != decision.strategy and not c.estimate.lines:
            out.setdefault(c.rejected, []).append(c.strategy)
        else:
            rows.append(_estimated(c, chosen=c.strategy == decision.strategy))
    body = table(["strategy", *_ESTIMATED, "outcome"], rows, {*_ESTIMATED}) if rows else ""
    body += "".join(f'<div class="q">not {e(plans.either(names))}: {e(why)}</div>' for why, names in out.items())
    policy = answers.policy(decision) if decision.policy else ""
    return folded("what else it could have cost", f'{body}<div class="q">{e(policy)}</div>')


def _estimated(found: Candidate, *, chosen: bool) -> tuple[str, ...]:
    figures = (f"{found.quality:.2f}", f"{found.cost:.2f}", f"{found.score:.2f}")
    bill = (e(spread(found.estimate.tokens)), e(spread(found.estimate.calls)))
    return cell(found.strategy), *figures, *bill, cell("chosen" if chosen else found.rejected or "lower score")


def _signals(value: Answer) -> str:
    if value.decision is None or not value.decision.signals:
        return ""
    return folded("signals", pairs((name, short(number)) for name, number in value.decision.signals.items()))


def _bill(value: Answer) -> str:
    if not value.usage.charges:
        return ""
    columns = ["role", "purpose", "model", "prompt", "cached", "output", "time", "money"]
    rows = [tuple(map(cell, _charged(charge))) for charge in value.usage.charges]
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
        cell(decision.strategy) or '<span class="warn">none</span>',
        e(spread(estimate.tokens)),
        e(spread(estimate.calls)),
        e(seconds(estimate.seconds.expected if estimate.seconds else None)),
        e(money(estimate.money.expected if estimate.money else None)),
    )


def corpus(value: Corpus) -> str:
    """The first fifty documents with their lengths and first words, and the files that could not be read."""
    shown = list(value.documents[:DOCUMENTS_SHOWN])
    more = len(value.documents) - len(shown)
    held = [count(len(value.documents), "document"), count(value.characters, "character")]
    head = ", ".join([*held, count(len(value.chunks), "chunk")])
    tail = f'<div class="q">and {e(count(more, "more document"))}</div>' if more > 0 else ""
    rest = folded(f"the next {len(shown) - OPEN}", _listed(shown[OPEN:], shown) + tail) if shown[OPEN:] else ""
    body = _listed(shown[:OPEN], shown) + rest
    return wrap(f"<b>{e(head)}</b>{body}{notes([*map(str, value.problems), *value.notes])}")


def _listed(some: Sequence[Document], every: Sequence[Document]) -> str:
    longest = max((len(d.text) for d in every), default=0) or 1
    columns = ["document", "characters", "", *(["pages"] if any(d.pages for d in every) else [])]
    rows = [(_begins(d), e(whole(len(d.text))), _bar(len(d.text) / longest, ""), e(len(d.pages) or "")) for d in some]
    return table(columns, [row[: len(columns)] for row in rows], {"characters", "pages"})


def _begins(value: Document) -> str:
    first = one_line(value.text[: 2 * BEGINNING], BEGINNING)
    return f'{e(value.id)}<div class="q">{e(first)}</div>'


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
