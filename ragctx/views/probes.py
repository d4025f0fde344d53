"""What a probe of a reader found, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from ragctx.views import text as terminal
from ragctx.views.numbers import count, money, whole

if TYPE_CHECKING:
    from ragctx.evaluation.probing import Probed

_COLUMNS = ("tokens", "prompts", "right", "score")


def summary(found: Probed) -> RenderableType:
    """Every length asked, the verdict, and what it cost now."""
    made = terminal.table(*_COLUMNS, numbers=_COLUMNS)
    for step in found.steps:
        made.add_row(*map(Text, (whole(step.length), whole(step.prompts), whole(step.right), f"{step.score:.2f}")))
    failed = sum(step.failed for step in found.steps)
    told = [f"{found.measured.reader}: {found.verdict}", _bill(found)]
    if failed:
        told.append(f"{count(failed, 'prompt')} got no reply of use and count as not found")
    return Group(made, Text(""), *(terminal.hanging(line) for line in told))


def _bill(found: Probed) -> str:
    usage = found.usage
    paid = f", {money(usage.money)}" if usage.money is not None else ""
    kept = f"; {count(usage.replayed, 'reply', 'replies')} kept from earlier" if usage.replayed else ""
    return f"spent {whole(usage.tokens)} tokens in {count(usage.calls, 'call')}{paid}{kept}"
