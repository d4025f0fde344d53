"""What a calibration found, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from ragctx.views import text as terminal
from ragctx.views.numbers import count, whole

if TYPE_CHECKING:
    from ragctx.evaluation.calibration import Arm, Calibration

_COLUMNS = ("asked", "score", "tokens", "worth")


def summary(found: Calibration, file: str) -> RenderableType:
    """Strategies, the router out of fold and the best of each question; how sure that is; where the policy went."""
    made = terminal.table(*_COLUMNS, numbers=_COLUMNS[1:])
    for arm in (*found.arms, found.routed, found.oracle):
        made.add_row(*_cells(arm))
    asked = f"{count(found.questions, 'question')} about {count(found.groups, 'document')}, read by"
    facts = (
        f"{asked} {', '.join(found.readers)}; worth is score less {found.lam:g} for each reading of everything",
        found.verdict,
        f"expected calibration error, out of fold: {found.error:.3f}",
        f"policy {found.fitted.name} {found.fitted.digest[:12]} written to {file}",
    )
    return Group(made, Text(""), *(terminal.hanging(line) for line in facts), *terminal.notes(found.notes))


def _cells(arm: Arm) -> tuple[Text, ...]:
    return tuple(map(Text, (arm.name, f"{arm.score:.3f}", whole(arm.tokens), f"{arm.worth:.3f}")))
