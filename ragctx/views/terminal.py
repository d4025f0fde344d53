"""Views for a terminal, made with rich; text from documents and models is never read as markup."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ragctx.types import Answer, Candidate, Citation, Decision, Estimate
from ragctx.views.numbers import money, seconds, share, spread, whole

if TYPE_CHECKING:
    from ragctx.batch import RowResult, Status
    from ragctx.corpus import Corpus
    from ragctx.evaluation.scoring import KindRow
    from ragctx.routing import Plan, PlanRow

DIM, STRONG, WARN = "dim", "bold", "yellow"


def console(*, stderr: bool = False) -> Console:
    """A console that does not guess at markup, emoji or highlights in text that is not ours."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=False)


def _table(*columns: str, numbers: Sequence[str] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style=STRONG, padding=(0, 2, 0, 0))
    for column in columns:
        if column in numbers:
            table.add_column(column, justify="right", no_wrap=True)
        else:
            table.add_column(column, overflow="fold")
    return table


def plan(value: Plan) -> RenderableType:
    """For each question the strategy, its cost and why; the others' rejections; the totals."""
    parts: list[RenderableType] = []
    for number, row in enumerate(value.rows, 1):
        parts += [Text(f"{number}. {row.question.text}", STRONG), *_planned(row), Text("")]
    return Group(*parts, _totals(value), *_notes(value.notes))


def _planned(row: PlanRow) -> Iterator[RenderableType]:
    estimate, decision = row.estimate, row.decision
    if decision.strategy:
        yield Text(f"   {decision.strategy}: {_bill_of(estimate)}")
    yield Text(f"   {decision.why}", DIM if decision.strategy else WARN)
    for candidate in decision.rejected:
        if decision.strategy and candidate.rejected not in decision.why:
            yield Text(f"   not {candidate.strategy}: {_rejection(candidate)}", DIM)


def _bill_of(estimate: Estimate) -> str:
    parts = [f"{spread(estimate.tokens)} tokens", f"{spread(estimate.calls)} calls"]
    parts += [seconds(estimate.seconds.expected)] if estimate.seconds else []
    parts += [f"money {money(estimate.money.expected)}"] if estimate.money else []
    return ", ".join(parts)


def _totals(value: Plan) -> Text:
    totals = value.totals
    line = (
        f"{len(value.rows)} questions: {spread(totals.tokens)} tokens in {spread(totals.calls)} calls, "
        f"{seconds(totals.seconds.expected if totals.seconds else None)} of model time, "
        f"money {money(totals.money.expected if totals.money else None)}. Nothing spent yet."
    )
    return Text(line, STRONG)


def _rejection(candidate: Candidate) -> str:
    tokens = candidate.estimate.tokens.expected
    cost = f" ({whole(tokens)} tokens)" if tokens and whole(tokens) not in candidate.rejected else ""
    return f"{candidate.rejected or 'lower score'}{cost}"


def _notes(notes: Sequence[str]) -> list[Text]:
    return [Text(f"note: {note}", WARN) for note in notes]


def answer(value: Answer) -> RenderableType:
    """The answer, its citations, and two lines of account."""
    parts: list[RenderableType] = [Text(value.text, STRONG if value.answerable else WARN), Text("")]
    parts += [_citation(number, citation) for number, citation in enumerate(value.citations, 1)]
    if value.unverified:
        parts.append(Text(f"{value.unverified} citation(s) dropped: the cited text does not carry the answer", WARN))
    parts += [Text(account(value), DIM)]
    if value.decision:
        parts.append(Text(f"why {value.strategy}: {value.decision.why}", DIM))
    return Group(*parts, *_notes(value.notes))


def _citation(number: int, citation: Citation) -> Text:
    place = citation.source + (f", page {citation.page}" if citation.page else "")
    quoted = " ".join(citation.text.split())
    return Text(f"[{number}] {place}: ", DIM) + Text(f"“{quoted}”")


def account(value: Answer) -> str:
    """One line: strategy, share read, tokens, calls, seconds, money."""
    usage = value.usage
    length = sum(coverage.length for coverage in value.coverage)
    read = sum(coverage.read for coverage in value.coverage)
    replayed = f" ({usage.replayed} from cache)" if usage.replayed else ""
    cost = "" if usage.money is None else f", money {money(usage.money)}"
    return (
        f"{value.strategy}: read {share(read / length if length else 1.0)} of {len(value.coverage)} documents, "
        f"{whole(usage.tokens)} tokens in {usage.calls} calls{replayed}, {seconds(usage.seconds)}{cost}"
    )


def explanation(value: Answer) -> RenderableType:
    """Everything on record about an answer: signals, candidates, coverage, what was left unread, the bill."""
    parts: list[RenderableType] = [answer(value)]
    if value.decision:
        parts += [Text("\nsignals", STRONG), _signals(value.decision.signals)]
        parts += [Text("\nstrategies", STRONG), _candidates(value.decision)]
        parts.append(Text(f"policy {value.decision.policy}, lambda {value.decision.lam:g}", DIM))
    parts += [Text("\nread", STRONG), _coverage(value)]
    if value.dropped:
        parts += [Text("\nleft unread", STRONG), _dropped(value)]
    return Group(*parts, Text("\nbill", STRONG), _bill(value))


def _signals(signals: Mapping[str, float]) -> Table:
    table = _table("signal", "value", numbers=("value",))
    for name, number in signals.items():
        table.add_row(name, f"{number:,.4g}" if abs(number) < 10_000 else whole(number))
    return table


def _candidates(decision: Decision) -> Table:
    numbers = ("quality", "cost", "score", "tokens")
    table = _table("strategy", *numbers, "rejected because", numbers=numbers)
    for c in decision.candidates:
        figures = (f"{c.quality:.2f}", f"{c.cost:.2f}", f"{c.score:.2f}", spread(c.estimate.tokens))
        table.add_row(c.strategy, *figures, Text(c.rejected or "chosen"))
    return table


def _coverage(value: Answer) -> Table:
    table = _table("document", "read", "characters", numbers=("read", "characters"))
    for coverage in sorted(value.coverage, key=lambda c: -c.read):
        table.add_row(
            Text(coverage.document), share(coverage.share), f"{whole(coverage.read)} of {whole(coverage.length)}"
        )
    return table


def _dropped(value: Answer, most: int = 20) -> Table:
    table = _table("document", "characters", "reason")
    for dropped in value.dropped[:most]:
        table.add_row(Text(dropped.span.document), f"{dropped.span.start}-{dropped.span.end}", Text(dropped.reason))
    if len(value.dropped) > most:
        table.add_row(f"... and {len(value.dropped) - most} more (--json has all)")
    return table


def _bill(value: Answer) -> Table:
    numbers = ("prompt", "cached", "output", "seconds", "money")
    table = _table("role", "purpose", "model", *numbers, numbers=numbers)
    for charge in value.usage.charges:
        model = charge.model + (" (from cache)" if charge.replayed else "")
        figures = (whole(charge.prompt), whole(charge.cached), whole(charge.output), f"{charge.seconds:.2f}")
        table.add_row(charge.role, charge.purpose, model, *figures, money(charge.money))
    return table


def corpus_facts(value: Corpus) -> dict[str, Any]:
    """What an index holds, as plain JSON."""
    return {
        "documents": len(value.documents),
        "characters": value.characters,
        "chunks": len(value.chunks),
        "manifest": value.manifest,
        "problems": [str(problem) for problem in value.problems],
    }


def corpus(value: Corpus) -> RenderableType:
    """One line, and every file that was not read with the reason."""
    facts = corpus_facts(value)
    line = (
        f"{whole(facts['documents'])} documents, {whole(facts['characters'])} characters, "
        f"{whole(facts['chunks'])} chunks: indexes are current"
    )
    return Group(Text(line, STRONG), *_notes(facts["problems"]))


def cache(facts: Mapping[str, Any]) -> RenderableType:
    """The cache folder and the size of each part."""
    table = _table("part", "files", "MB", numbers=("files", "MB"))
    for name, size in facts["parts"].items():
        table.add_row(name, whole(size["files"]), f"{size['bytes'] / 1e6:,.1f}")
    return Group(Text(str(facts["folder"]), STRONG), table)


def findings(values: Sequence[Mapping[str, Any]]) -> RenderableType:
    """One line a check, with the remedy where it failed."""
    table = _table("check", "", "found", "remedy")
    for finding in values:
        mark = Text("ok", "green") if finding["ok"] else Text("-" if finding["optional"] else "FAILED", WARN)
        table.add_row(finding["what"], mark, Text(str(finding["detail"])), Text(str(finding["remedy"])))
    return table


def row(value: RowResult) -> RenderableType:
    """One finished row of a job in three or four lines."""
    asked = Text(value.question.text, STRONG)
    if value.answer is None:
        message = value.failure.message if value.failure else "no answer"
        return Group(asked, Text(f"  failed: {message}", "red"), Text(""))
    text = " ".join(value.answer.text.split())
    lines: list[RenderableType] = [asked, Text(f"  {text}", "" if value.answer.answerable else WARN)]
    lines += [Text("  ") + _citation(n, citation) for n, citation in enumerate(value.answer.citations[:2], 1)]
    return Group(*lines, Text(f"  {account(value.answer)}", DIM), Text(""))


def status(value: Status) -> RenderableType:
    """Where a job stands, what it spent, and how the plan held."""
    spent = f"{whole(value.tokens)} tokens, {seconds(value.seconds)} of model time, money {money(value.money)}"
    lines = [
        Text(
            f"{value.total} questions: {value.answered} answered, {value.declined} declined, {value.failed} failed, "
            f"{value.pending} pending",
            STRONG,
        ),
        Text(f"spent: {spent}"),
    ]
    if value.ratios:
        held = ", ".join(f"{name} {ratio:.2f}" for name, ratio in value.ratios.items())
        lines.append(Text(f"actual over planned: {held}", DIM))
    lines += [Text(f"{count} x {name}", "red") for name, count in value.failures.items()]
    return Group(*lines, *_notes([value.stopped] if value.stopped else []))


def kinds(rows: Sequence[KindRow]) -> RenderableType:
    """Share correct by kind of question, with what was declined and what failed."""
    numbers = ("questions", "correct", "share", "declined", "failed", "F1")
    table = _table("kind", *numbers, numbers=numbers)
    for row in rows:
        counts = (str(row.questions), str(row.correct), share(row.share), str(row.declined), str(row.failed))
        table.add_row(Text(row.kind or "(none)"), *counts, f"{row.f1:.2f}")
    return table
