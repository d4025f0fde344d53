"""The computation over items: counting, adding, comparing, listing, grouping, done by code and not by a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ragctx.agents.figures import figures, number, shown
from ragctx.agents.operations import Wanted
from ragctx.agents.places import Item
from ragctx.grounding.words import content

# An item is shown by at most so many characters, and an answer that is a number by so many words of items.
_LABEL, _WORDS = 70, 70
_TOTAL = re.compile(r"\b(?:total|in all|altogether|together|combined|sum)\b", re.IGNORECASE)
_EACH = re.compile(r"\b(?:each|per|every|grouped by|by)\s+([^\W\d_]+)", re.IGNORECASE)
_MEASURE = re.compile(
    r"(?:kilo|milli|centi|square|cubic)?(?:tonne|ton|gram|metre|meter|litre|liter|hour|minute|second|watt|degree|mile|"
    r"crown|euro|dollar|pound|franc|percent|point|acre|hectare)s?",
    re.IGNORECASE,
)
_MONEY = re.compile(r"crowns?|euros?|eur|dollars?|usd|pounds?|gbp|francs?|\$|\u20ac|\u00a3", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Result:
    """What came out.

    Attributes:
        text: the answer. value: plain data: a number, a list or a mapping. operation: what was done in the end.
        items: those that it rests on. notes: what a person should know.
    """

    text: str
    value: object
    operation: str
    items: tuple[Item, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Figured:
    """An item with the figures that count."""

    item: Item
    values: tuple[float, ...] = field(default=())


def computed(wanted: Wanted, items: Sequence[Item], question: str) -> Result:
    """Do what is wanted with the items, of which there is at least one.

    Example:
        >>> from ragctx.types import Span
        >>> at = Span("policy", 0, 40)
        >>> told = Item(at, at, "Garrow 18 tonnes, Emmer 7 tonnes", "Garrow 18 tonnes, Emmer 7 tonnes")
        >>> asked = "How many tonnes may the offices use all together?"
        >>> computed(Wanted("count", "", unit="tonnes", together=True), [told], asked).text
        '25 tonnes: 18 + 7.'
    """
    if (
        wanted.operation == "count"
        and wanted.unit
        and (with_unit := _with_unit(items, wanted.unit, together=wanted.together))
    ):
        return _sum(wanted, with_unit, question)
    if wanted.operation == "sum":
        return _sum(wanted, [Figured(item, _values(item, wanted, question)) for item in items], question)
    if wanted.valued:
        return _valued(wanted, [Figured(item, _values(item, wanted, question)) for item in items])
    if wanted.operation == "group":
        return _groups(items, question)
    names = [label(item) for item in items]
    if wanted.operation == "list":
        return Result(_listed(names, most=None), names, "list", tuple(items))
    return Result(_told(shown(len(items), words=True), names), len(items), "count", tuple(items))


def label(item: Item) -> str:
    """What an item is called: by the model, by its row, or by its own words and the heading above."""
    if item.name and len(item.name) <= _LABEL:
        return item.name
    if item.record:
        return _short(" ".join(list(item.record.values())[:2]))
    dated = f"{item.heading}: " if item.heading and len(item.heading) <= _LABEL // 2 else ""
    return dated + _short(item.quote)


def _with_unit(items: Sequence[Item], unit: str, *, together: bool) -> list[Figured]:
    """The items with their figures of the unit, where most of them come with one, or the unit is a measure."""
    found = [Figured(item, tuple(value for _, value in figures(item.told, unit))) for item in items if not item.record]
    having = [one for one in found if one.values]
    sure = together or bool(_MEASURE.fullmatch(unit))
    return having if sure or 2 * len(having) > len(items) else []


def _sum(wanted: Wanted, given: Sequence[Figured], question: str) -> Result:
    figured = _per_unit([one for one in given if one.values])
    parts = [one for one in figured if not _TOTAL.search(one.item.told)]
    notes = _without(len(given) - len([one for one in given if one.values]))
    if parts and len(parts) < len(figured):
        notes = (*notes, f"{len(figured) - len(parts)} that state a total themselves were not added to it")
    used = parts or figured[:1]  # nothing but a stated total: that is the answer
    values = [value for one in used for value in one.values]
    if not values:
        return _none(given, "add")
    unit = f" {wanted.unit}" if wanted.unit else ""
    sum_up = f"{shown(sum(values))}{unit}"
    added = f": {' + '.join(map(shown, values))}" if 1 < len(values) <= _WORDS // 2 else ""
    return Result(f"{sum_up}{added}.", _plain(sum(values)), "sum", tuple(one.item for one in used), notes)


def _valued(wanted: Wanted, given: Sequence[Figured]) -> Result:
    figured = [one for one in given if one.values]
    notes = _without(len(given) - len(figured))
    if not figured:
        return _none(given, "compare")
    if wanted.operation == "average":
        mean = sum(one.values[0] for one in figured) / len(figured)
        items = tuple(one.item for one in figured)
        return Result(_told(shown(mean), [label(i) for i in items]), _plain(mean), "average", items, notes)
    best = (max if wanted.operation == "maximum" else min)(one.values[0] for one in figured)
    won = tuple(one.item for one in figured if one.values[0] == best)
    text = f"{_open(_listed([label(item) for item in won], most=None))}: {shown(best)}."
    return Result(text, _plain(best), wanted.operation, won, notes)


def _groups(items: Sequence[Item], question: str) -> Result:
    by = next((found.casefold() for found in _EACH.findall(question)), "")
    groups: dict[str, int] = {}
    for item in items:
        column = next((value for name, value in item.record.items() if by and by in name.casefold()), "")
        name = column or item.group or item.heading or "not said"
        groups[name] = groups.get(name, 0) + 1
    text = "; ".join(f"{name}: {count}" for name, count in groups.items())
    return Result(f"{text}.", groups, "group", tuple(items))


def _values(item: Item, wanted: Wanted, question: str) -> tuple[float, ...]:
    """The figure of an item: the model's where the source has it, a column that the question names, the only one."""
    there = figures(item.told)
    said = [value for _, value in figures(item.value)]
    if said and any(value == said[0] for _, value in there):
        return (said[0],)
    asked = content(question)
    columns = [value for name, value in item.record.items() if content(name.replace("_", " ")) & asked]
    numeric = [
        number(value) for value in columns if figures(value) and figures(value)[0][0] == 0 and value[-1:].isdigit()
    ]
    if numeric:
        return (numeric[0],)
    if wanted.unit and (of_unit := [value for _, value in figures(item.told, wanted.unit)]):
        return tuple(of_unit)
    priced = [value for at, value in figures(item.quote) if _money(item.quote, at)]
    alone = [value for _, value in figures(item.quote)]
    return (priced[0],) if priced else (alone[0],) if len(alone) == 1 else ()


def _money(text: str, at: int) -> bool:
    after = re.match(r"\S+\s*(\S+)", text[at:])
    return bool(after and _MONEY.match(after.group(1))) or text[max(0, at - 1) : at] in {"$", "\u20ac", "\u00a3"}


def _per_unit(figured: Sequence[Figured]) -> list[Figured]:
    """One for each sentence: two quotes from one sentence bring the same figures."""
    seen: dict[tuple[object, tuple[float, ...]], Figured] = {}
    for one in figured:
        seen.setdefault((one.item.unit, one.values), one)
    return list(seen.values())


def _none(given: Sequence[Figured], what: str) -> Result:
    items = tuple(one.item for one in given)
    note = f"no figure to {what} was found beside the items: they are listed instead"
    names = [label(item) for item in items]
    return Result(_listed(names, most=None), names, "list", items, (note,))


def _without(missing: int) -> tuple[str, ...]:
    return (f"{missing} items without a figure were left out of the computation",) if missing else ()


def _told(number: str, names: Sequence[str]) -> str:
    """A number and what it counts, short enough to be read."""
    return f"{number[:1].upper()}{number[1:]}: {_listed(names, most=_WORDS)}"


def _listed(names: Sequence[str], most: int | None) -> str:
    taken: list[str] = []
    for name in names:
        if most is not None and sum(len(one.split()) for one in (*taken, name)) > most:
            return "; ".join([*taken, f"and {len(names) - len(taken)} more."])
        taken.append(name)
    return _closed("; ".join(taken))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LABEL else f"{line[:_LABEL].rsplit(' ', 1)[0]} ..."


def _open(text: str) -> str:
    return text if text.endswith(" ...") else text.rstrip(".")


def _closed(text: str) -> str:
    """A text that ends with one full stop; the dots of one that was shortened stay.

    Example:
        >>> _closed("Rent is due."), _closed("Signed for the ...")
        ('Rent is due.', 'Signed for the ...')
    """
    return text if text.endswith(" ...") else f"{_open(text)}."


def _plain(value: float) -> int | float:
    return int(value) if value == int(value) else round(value, 6)
