"""Terminal views of an answer: what it says and rests on; and everything on record about it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ragctx.types import Answer, Charge, Citation, Coverage, Decision, Dropped
from ragctx.views.numbers import count, money, seconds, share, short, spread, whole
from ragctx.views.text import DIM, STRONG, WARN, Block, block, hanging, notes, one_line, table

QUOTED = 400
DROPPED_SHOWN = 10
UNASKED = "no language model asked"


def answer(value: Answer) -> RenderableType:
    """The answer, the sentences it rests on, its bill and why it was read that way."""
    parts: list[RenderableType] = [Text(value.text, STRONG if value.answerable else WARN), Text("")]
    parts += [citation(found, number) for number, found in enumerate(value.citations, 1)]
    if value.citations:
        parts.append(Text(""))
    if value.unverified:
        parts.append(hanging(unverified(value.unverified), WARN))
    parts += [hanging(line, DIM) for line in accounted(value)]
    return Group(*parts, *notes(value.notes))


def accounted(value: Answer) -> Iterator[str]:
    """The bill, and the reason where one is on record."""
    yield account(value)
    if value.decision and value.decision.why:
        yield f"why: {value.decision.why}"


def unverified(dropped: int) -> str:
    """What is said about citations that did not hold."""
    return f"{count(dropped, 'citation')} dropped: the cited text does not carry the answer"


def citation(value: Citation, number: int, *, most: int = QUOTED, by: int = 0) -> Block:
    """A quoted sentence behind its document and page."""
    quoted = Text(f"[{number}] ", DIM) + Text(place(value), "cyan") + Text(f": “{one_line(value.text, most)}”")
    return block(quoted, by=by, then=by + len(f"[{number}] "))


def place(value: Citation) -> str:
    """Document and page, as people say it."""
    return (value.span.document or value.source) + (f", page {value.page}" if value.page else "")


def account(value: Answer) -> str:
    """One line: strategy, share read, tokens, calls, seconds, money.

    Example:
        >>> from ragctx.types import Coverage
        >>> account(Answer("Three months.", strategy="full", coverage=(Coverage("lease.md", 90, 90),)))
        'full: read 100 % of 1 document, 0 tokens in 0 calls, 0.0 s'
    """
    usage = value.usage
    length = sum(coverage.length for coverage in value.coverage)
    read = sum(coverage.read for coverage in value.coverage)
    saw = f"read {share(read / length)} of {count(len(value.coverage), 'document')}, " if length else ""
    cached = f" ({whole(usage.replayed)} from cache)" if usage.replayed else ""
    cost = "" if usage.money is None else f", money {money(usage.money)}"
    asked = f"{count(usage.tokens, 'token')} in {count(usage.calls, 'call')}{cached}"
    bill = f"{asked if usage.metered or not usage.charges else UNASKED}, {seconds(usage.seconds)}{cost}"
    return f"{value.strategy or 'no strategy'}: {sure(value)}{saw}{bill}"


def sure(value: Answer) -> str:
    """How sure the strategy is, where it has a measure of it, and of what.

    Example:
        >>> sure(Answer("Three months.", confidence=0.874)), sure(Answer("Not said.", answerable=False, confidence=0.9))
        ('87 % sure, ', '90 % sure that the documents do not say, ')
    """
    if value.confidence is None:
        return ""
    return f"{share(value.confidence)} sure{'' if value.answerable else ' that the documents do not say'}, "


def explanation(value: Answer, question: str = "") -> RenderableType:
    """Everything on record: signals, every strategy and its score, what was read and what was not, the bill."""
    parts: list[RenderableType] = [hanging(one_line(question), DIM)] if question else []
    parts.append(answer(value))
    if value.decision:
        parts += [_head("strategies"), _candidates(value.decision)]
        if value.decision.policy:
            parts.append(hanging(policy(value.decision), DIM))
        if value.decision.signals:
            parts += [_head("signals the choice was made from"), _signals(value.decision.signals)]
    if value.coverage:
        parts += [_head("read"), _coverage(value)]
    if value.dropped:
        parts += [_head("considered and left unread"), *_dropped(value)]
    if value.usage.charges:
        parts += [_head("bill"), _bill(value)]
    return Group(*parts)


def policy(decision: Decision) -> str:
    """By which table and lambda it was decided."""
    return f"policy {decision.policy}, lambda {decision.lam:g}"


def opened(coverage: Sequence[Coverage]) -> tuple[list[Coverage], str]:
    """The documents of which anything was read, most first, and how many others there are, in words."""
    touched = sorted((each for each in coverage if each.read), key=lambda each: -each.read)
    rest = len(coverage) - len(touched)
    return touched, f"not opened: {count(rest, 'other document')}" if rest else ""


def model(charge: Charge) -> str:
    """Who was paid."""
    return charge.model + (" (from cache)" if charge.replayed else "")


def _head(title: str) -> Text:
    return Text(f"\n{title}", STRONG)


def _signals(signals: Mapping[str, float]) -> Table:
    """Three pairs beside each other: signals are many and short."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    for _ in range(2):
        grid.add_column(no_wrap=True)
        grid.add_column(justify="right", no_wrap=True, min_width=12)
    cells = [Text(cell) for name, value in signals.items() for cell in (name, f"{short(value)}  ")]
    for at in range(0, len(cells), 4):
        grid.add_row(*cells[at : at + 4])
    return grid


def _candidates(decision: Decision) -> RenderableType:
    numbers = ("quality", "cost", "score", "tokens expected (range)")
    made = table("strategy", *numbers, numbers=numbers)
    for c in decision.candidates:
        made.add_row(Text(c.strategy), f"{c.quality:.2f}", f"{c.cost:.2f}", f"{c.score:.2f}", spread(c.estimate.tokens))
    reasons = [hanging(f"not {c.strategy}: {c.rejected or 'lower score'}", DIM) for c in decision.rejected]
    return Group(made if decision.candidates else Text(f"{decision.strategy}, named by the user"), *reasons)


def _coverage(value: Answer) -> RenderableType:
    made = table("document", "read", "characters", numbers=("read", "characters"))
    touched, rest = opened(value.coverage)
    for coverage in touched:
        made.add_row(
            Text(coverage.document), share(coverage.share), f"{whole(coverage.read)} of {whole(coverage.length)}"
        )
    return Group(*([made] if touched else []), *([Text(rest, DIM)] if rest else []))


def left(dropped: Sequence[Dropped]) -> str:
    """What was left unread, by the kind of reason: reasons differ in their numbers.

    Example:
        >>> from ragctx.types import Span
        >>> left([Dropped(Span("a", i, i + 90), f"pruned: 0.0{i} likely needed") for i in (1, 2)])
        'pruned: 2 spans, 180 characters'
    """
    spans: dict[str, list[Dropped]] = {}
    for one in dropped:
        spans.setdefault(_kind(one.reason), []).append(one)
    return "; ".join(
        f"{kind}: {count(len(of), 'span')}, {count(sum(len(one.span) for one in of), 'character')}"
        for kind, of in sorted(spans.items(), key=lambda pair: -len(pair[1]))
    )


def _kind(reason: str) -> str:
    return re.split(r"[:\d]", reason, maxsplit=1)[0].strip() or "left out"


def _dropped(value: Answer) -> list[RenderableType]:
    made = table("document", "characters", "reason")
    for dropped in value.dropped[:DROPPED_SHOWN]:
        made.add_row(Text(dropped.span.document), f"{dropped.span.start}-{dropped.span.end}", Text(dropped.reason))
    more = len(value.dropped) - DROPPED_SHOWN
    rest = [Text(f"and {whole(more)} more; --json has all of them", DIM)] if more > 0 else []
    return [hanging(left(value.dropped), DIM), made, *rest]


def _bill(value: Answer) -> Table:
    numbers = ("prompt", "cached", "output", "seconds", "money")
    made = table("for", "model", *numbers, numbers=numbers)
    for charge in value.usage.charges:
        purpose = charge.purpose if charge.purpose == charge.role else f"{charge.role}, {charge.purpose}".strip(", ")
        figures = (whole(charge.prompt), whole(charge.cached), whole(charge.output), f"{charge.seconds:.2f}")
        made.add_row(Text(purpose), Text(model(charge)), *figures, money(charge.money))
    return made
