"""What a model says it found in a portion, read leniently: JSON where it can write that, else one item a line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from ragctx.prompts.replies import lines, nothing, numbers

if TYPE_CHECKING:
    from pydantic import BaseModel

# An object without objects in it: small models break the list around them, seldom the objects.
_FLAT = re.compile(r"\{[^{}]*\}")
# Lines that introduce a list, or are what a code fence leaves.
_TALK = re.compile(r"^(?:.{0,80}:|[\[\]{},\s]*)$")
_MARK = re.compile(r"\s*\[\d{1,6}\]")
# The names of our own fields; a caller's schema keeps its own beside them.
OWN = ("quote", "name", "value", "group", "number")


@dataclass(frozen=True, slots=True)
class Raw:
    """One item as a model gave it, nothing of it believed yet.

    Attributes:
        quote: words that should stand in the documents. name: what the item is called.
        value: its figure, as it was written. group: what it belongs to.
        number: of the passage it should be in, where one was given. fields: those of the caller's own schema.
    """

    quote: str
    name: str = ""
    value: str = ""
    group: str = ""
    number: int | None = None
    fields: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Said:
    """A reply taken apart. `problem` says what is wrong with it, in words the model can act on; empty where fine."""

    items: tuple[Raw, ...] = ()
    problem: str = ""


def schema(own: type[BaseModel] | None = None) -> str:
    """JSON schema of a reply: a list of items, each with the caller's fields and the words that say so."""
    from ragctx.structured import schema as canonical

    return canonical(_kinds(own)[1])


def said(reply: str, own: type[BaseModel] | None = None) -> Said:
    r"""The items of a reply.

    Example:
        >>> [raw.name for raw in said('[{"name": "fork", "quote": "a fork"}, {"name": "spoo').items]
        ['fork']
        >>> said("- a fork lay there [2]\n- a knife").items[0].number, said("None.").items, said("").problem
        (2, (), 'it is empty')
    """
    if not reply.strip():
        return Said(problem="it is empty")
    if nothing(reply):
        return Said()
    read = [_raw(value, own) for value in _objects(reply)]
    found = [raw for raw in read if isinstance(raw, Raw)]
    problems = [raw for raw in read if isinstance(raw, str)]
    if found or problems:
        return Said(tuple(found), "" if found else problems[0])
    if _empty_list(reply):
        return Said()
    if own is not None:
        return Said(problem="it holds no JSON object")
    items = tuple(raw for line in lines(reply) if not _TALK.match(line) and _tells(raw := _line(line)))
    return Said(items, "" if items else "it holds no item")


def _tells(raw: Raw) -> bool:
    """Whether a line quotes something: a figure alone stands in any text, and a reply "4" is an answer, no item."""
    return any(character.isalpha() for character in raw.quote) or (not raw.quote and raw.number is not None)


def _line(line: str) -> Raw:
    marks = numbers(line)
    return Raw(_MARK.sub("", line).strip(" \"'`,"), number=marks[0] if marks else None)


def _objects(reply: str) -> Iterator[object]:
    """Every item's object: of the whole JSON value, or those that can be read one by one."""
    try:
        whole = json.loads(reply)
    except (json.JSONDecodeError, RecursionError):
        yield from _read(reply)
        return
    if isinstance(whole, Mapping):
        inside = [value for value in whole.values() if isinstance(value, list)]
        whole = inside[0] if len(inside) == 1 and not any(name in whole for name in OWN) else [whole]
    for one in whole if isinstance(whole, list) else ():
        yield {"quote": one} if isinstance(one, str) else one


def _read(reply: str) -> Iterator[object]:
    for found in _FLAT.finditer(reply):
        try:
            yield json.loads(found.group())
        except (json.JSONDecodeError, RecursionError):
            continue


def _empty_list(reply: str) -> bool:
    return bool(re.search(r"\[\s*\]", reply))


def _raw(value: object, own: type[BaseModel] | None) -> Raw | str:
    """An item, or what is wrong with it."""
    from pydantic import ValidationError

    if not isinstance(value, Mapping):
        return "an item must be a JSON object"
    try:
        model = _kinds(own)[0].model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'item'}: {first['msg']}"
    given = model.model_dump(mode="json")
    theirs = {name: given[name] for name in own.model_fields} if own else {}
    text: Callable[[str], str] = lambda name: "" if given.get(name) is None else str(given[name]).strip()  # noqa: E731
    raw = Raw(text("quote"), text("name") or _first(theirs), text("value"), text("group"), given.get("number"), theirs)
    return raw if raw.quote or raw.name or raw.number else "an item needs a quote"


def _first(fields: Mapping[str, object]) -> str:
    return next((value for value in fields.values() if isinstance(value, str) and value), "")


@cache
def _kinds(own: type[BaseModel] | None) -> tuple[type[BaseModel], type[BaseModel]]:
    """The model of one item and of a reply; pydantic is imported here, since that takes a while."""
    from pydantic import create_model

    scalar = str | float | None
    ours: dict[str, object] = {
        "quote": (str, ""), "name": (scalar, None), "value": (scalar, None), "group": (scalar, None),
        "number": (int | None, None),
    }  # fmt: skip
    if own is not None:
        taken = {name: kind for name, kind in ours.items() if name == "quote" or name not in {"name", "value", "group"}}
        ours = {name: kind for name, kind in taken.items() if name == "quote" or name not in own.model_fields}
    named: dict[str, Any] = {"__base__": own, **ours} if own is not None else {**ours}
    item: type[BaseModel] = create_model("Found", **named)
    several: Any = list[item]
    return item, create_model("Items", items=(several, ...))
