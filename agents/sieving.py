"""From all items that were found to those that count, with a note for every kind of reason that some do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ragctx.agents.computing import label
from ragctx.agents.gates import alike, dated, denied, named, once, risen, said_again
from ragctx.agents.operations import Wanted
from ragctx.agents.places import Item
from ragctx.corpus import Corpus
from ragctx.grounding.words import content

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Sieved:
    """The items that count, and notes about those that do not."""

    items: tuple[Item, ...]
    notes: tuple[str, ...] = ()


def sieved(items: Sequence[Item], wanted: Wanted, question: str, view: Corpus) -> Sieved:
    """Leave out what names nothing the question names and what is denied, add rows that read alike, merge.

    Args:
        items: in document order.
        wanted: what is looked for.
        question: as it was asked.
        view: what may be read.
    """
    asked = content(question)
    # The question's own word for all of them names none of them.
    telling = [replace(item, name="") if content(item.name) <= asked else item for item in items]
    true = [item for item in telling if not denied(item, question)]
    kept, off = named(true, question, view)
    notes = [*_told(len(items) - len(true), "left out that the text denies")]
    notes += _told(len(off), "left out that say no name of the question, as others do")
    more = alike(kept, question, view) if wanted.operation != "sum" or not wanted.unit else []
    notes += _told(len(more), "added: rows that say the same as those the model listed")
    again = said_again(kept, question, view)
    notes += _told(len(again), "added: sentences that say of the same name what the model listed")
    more += again
    if more:
        order = {document.id: number for number, document in enumerate(view.documents)}
        kept = sorted([*kept, *more], key=lambda item: (order[item.span.document], item.span))
    if wanted.operation in {"count", "list"} and wanted.unit:
        kept, off = risen(kept, wanted.unit, view)
        notes += _told(len(off), f"left out that stand under no heading of one of the {wanted.unit}")
    kept, off = dated(kept, question)
    notes += _told(len(off), "left out that have no date, as the others do")
    single, disagree = once(kept, question)
    for one, other in disagree[:_SHOWN]:
        notes.append(
            f"the documents disagree about {label(one)}: {one.value} ({one.span.document}) and {other.value} "
            f"({other.span.document}); the first was taken"
        )
    return Sieved(tuple(single), tuple(notes))


def _told(number: int, what: str) -> list[str]:
    return [f"{number} {'item' if number == 1 else 'items'} {what}"] if number else []
