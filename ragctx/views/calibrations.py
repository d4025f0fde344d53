"""What a calibration found, for a terminal and a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from ragctx.views import text as terminal
from ragctx.views.numbers import count, whole
from ragctx.views.page import e, notes, table, wrap

if TYPE_CHECKING:
    from ragctx.evaluation.calibration import Calibration
from ragctx.evaluation.trial import Arm

_COLUMNS = ("asked", "score", "tokens", "worth")


def summary(found: Calibration, file: str) -> RenderableType:
    """Strategies, the router out of fold and the best of each question; how sure that is; where the policy went."""
    made = terminal.table(*_COLUMNS, numbers=_COLUMNS[1:])
    for arm in (*found.arms, found.routed, found.oracle):
        made.add_row(*_cells(arm))
    asked, error = _facts(found)
    facts = (asked, found.verdict, error, f"policy {_policy(found)} written to {file}")
    return Group(made, Text(""), *(terminal.hanging(line) for line in facts), *terminal.notes(found.notes))


def html(found: Calibration) -> str:
    """The same for a notebook; the policy is not written anywhere yet."""
    rows = [tuple(map(e, map(str, _cells(arm)))) for arm in (*found.arms, found.routed, found.oracle)]
    facts = (*_facts(found), f"policy {_policy(found)}, in `fitted`")
    told = "".join(f'<div class="q">{e(line)}</div>' for line in facts)
    return wrap(f"<b>{e(found.verdict)}</b>{table(_COLUMNS, rows, frozenset(_COLUMNS[1:]))}{told}{notes(found.notes)}")


def _facts(found: Calibration) -> tuple[str, ...]:
    asked = f"{count(found.questions, 'question')} about {count(found.groups, 'document')}, read by"
    return (
        f"{asked} {', '.join(found.readers)}; worth is score less {found.lam:g} for each reading of everything",
        f"expected calibration error, out of fold: {found.error:.3f}",
    )


def _policy(found: Calibration) -> str:
    return f"{found.fitted.name} {found.fitted.digest[:12]}"


def _cells(arm: Arm) -> tuple[Text, ...]:
    return tuple(map(Text, (arm.name, f"{arm.score:.3f}", whole(arm.tokens), f"{arm.worth:.3f}")))
