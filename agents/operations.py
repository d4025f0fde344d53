"""Which computation a question over many items asks for: by its words where they are plain, else by a model's plan."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Literal, cast, get_args

Operation = Literal["count", "sum", "average", "maximum", "minimum", "list", "group"]
OPERATIONS: Final[tuple[str, ...]] = get_args(Operation)

# An item's description is a few words; more would be an answer.
_LONGEST = 200
_TOGETHER = r"\b(?:in total|altogether|all together|in all|total|combined|taken together|sum of|added up)\b"
_MOST = r"most expensive|largest|biggest|highest|longest|heaviest|greatest|oldest|latest|maximum|dearest|tallest"
_LEAST = r"cheapest|smallest|lowest|shortest|lightest|fewest|youngest|earliest|minimum|least"
# What is plain, first match first. "How many" alone may still turn out to ask for a sum: see `Wanted.unit`.
_PLAIN: Final[tuple[tuple[Operation, re.Pattern[str]], ...]] = tuple(
    (cast("Operation", name), re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        ("average", r"\b(?:average|mean)\b"),
        ("group", r"\bhow many\b.{1,80}\b(?:for|in|by|of) each\b|\bhow many\b.{1,80}\bper\b|\bgroup(?:ed)? by\b"),
        ("sum", rf"\bhow much\b.{{1,200}}{_TOGETHER}|{_TOGETHER}.{{1,200}}\bhow much\b|\btotal (?:of|amount|cost)\b"),
        ("count", r"\bhow (?:many|often)\b|\bnumber of\b|\bcount\b"),
        ("maximum", rf"\b(?:{_MOST})\b"),
        ("minimum", rf"\b(?:{_LEAST})\b"),
        ("list", r"\blist\b|\bname (?:all|every|the)\b|\bwhich (?!one\b)\w+s\b|\bwhat are (?:all )?the\b|\bevery\b"),
    )
)  # fmt: skip
_SAID: Final = {
    "counting": "count", "add": "sum", "total": "sum", "mean": "average", "max": "maximum", "largest": "maximum",
    "most": "maximum", "min": "minimum", "smallest": "minimum", "least": "minimum", "grouping": "group",
}  # fmt: skip
_UNIT = re.compile(r"\bhow many ([^\W\d_]+)", re.IGNORECASE)
_OPERATION = re.compile(r"^\W*operation\W*([a-z]+)", re.IGNORECASE | re.MULTILINE)
_ITEM = re.compile(r"^\W*items?\b\W*[:=]\W*(.+)$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be looked for and what is done with it.

    Attributes:
        operation: one of `OPERATIONS`. item: what one item is, in words.
        unit: the noun after "how many", in lower case: where items come with figures of it, they are added up.
        together: the question asks for what all have together.
    """

    operation: Operation
    item: str
    unit: str = ""
    together: bool = False

    @property
    def valued(self) -> bool:
        """Whether the computation needs a figure of every item."""
        return self.operation in {"sum", "average", "maximum", "minimum"}


def plain(question: str) -> Wanted | None:
    """What the words of a question say, where they are plain; None where they are not.

    Example:
        >>> plain("How many of the parts are kept in Garrow?")
        Wanted(operation='count', item='How many of the parts are kept in Garrow?', unit='', together=False)
        >>> plain("Which part is the most expensive?").operation, plain("How do the two differ?")
        ('maximum', None)
    """
    said = next((name for name, pattern in _PLAIN if pattern.search(question)), None)
    if said is None:
        return None
    unit = _UNIT.search(question)
    noun = unit.group(1).casefold() if unit and unit.group(1).casefold() not in {"of", "times", "different"} else ""
    return Wanted(said, question, noun, bool(re.search(_TOGETHER, question, re.IGNORECASE)))


def planned(reply: str, question: str) -> Wanted | None:
    r"""What a model's plan and the question's own words say together; the words win, the item is the model's.

    None where neither says what to compute.

    Example:
        >>> planned("Operation: list\nItem: a part kept in Garrow", "How many parts are kept in Garrow?")
        Wanted(operation='count', item='a part kept in Garrow', unit='parts', together=False)
    """
    words = plain(question)
    operation = words.operation if words else _operation(reply) or _operation(f"Operation: {reply}")
    if operation is None:
        return None
    item = _item(reply) or question
    return replace(words, item=item) if words else Wanted(operation, item)


def _operation(reply: str) -> Operation | None:
    found = _OPERATION.search(reply)
    word = found.group(1).casefold() if found else ""
    word = _SAID.get(word, word)
    return cast("Operation", word) if word in OPERATIONS else None


def _item(reply: str) -> str:
    found = _ITEM.search(reply)
    item = found.group(1).strip(" .\"'*`") if found else ""
    return item if len(item) <= _LONGEST else ""
