"""Reads what small models reply: lists, numbers of passages, "nothing", JSON among words."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

# "- ", "* ", "• ", "1. ", "2) ", "(3) ", "a) ", "Step 2: ", "Question 1: ". A bare number needs its mark and a blank:
# "3.5 per cent" is text.
_BULLET = re.compile(
    r"^\s*(?:[-*•–—>]+\s+|[-•–—](?=\w)|\(?\d{1,3}[.):]\s+|\(?[a-z][.)]\s+|"
    r"(?:step|point|fact|item|question|sub-?question)\s*\d{1,3}\s*[.:)]\s*)+",
    re.IGNORECASE,
)
_MARKS = re.compile(r"[\[\u3010]\s*#?(\d{1,6}(?:\s*(?:,|;|&|and|to|-|\u2013)\s*#?\d{1,6})*)\s*[\]\u3011]")
_RANGE = re.compile(r"(\d{1,6})\s*(?:-|\u2013|to)\s*#?(\d{1,6})")
# A range spreads over at most so many passages: "[1-900]" names nothing in particular.
_SPREAD = 20
_FENCED = re.compile(r"^\s*```.*$", re.MULTILINE)
# Said of the texts alone: "nothing in the lease forbids pets" is a fact.
_HERE = (
    r"(?:\s+(?:here|(?:is\s+|was\s+)?(?:in|from)\s+(?:the|these|this|any)\s+(?:\w+\s+)?"
    r"(?:texts?|documents?|passages?|excerpts?|notes?|sources?)(?:\s+above)?))?"
)
_NOTHING = re.compile(
    r"^(?:there\s+is\s+|there['\u2019]s\s+|i\s+(?:found|find|see)\s+)?"
    r"(?:nothing(?:\s+(?:new|else|more|relevant|found|useful|to\s+(?:add|note|report)))*|none(?:\s+found)?|"
    r"no\s+(?:new|relevant|useful|further|additional)\s+(?:information|facts?|notes?|evidence|content)(?:\s+found)?|"
    r"not\s+in\s+the\s+(?:documents?|texts?|passages?)|not\s+(?:found|mentioned|relevant)|n/?a|no|null|empty|"
    r"\u6ca1\u6709(?:\u65b0(?:\u7684)?(?:\u4fe1\u606f|\u5185\u5bb9))?|\u65e0|\u306a\u3057|\u7279\u306b\u306a\u3057)"
    rf"{_HERE}$",
    re.IGNORECASE,
)
# So many letters and figures of a prompt's own text are no reply of anybody's.
_TOLD = 24
_BLANK = " \t\r\n\"'`*_.-\u2013\u2014\u2022"
_WRAP = _BLANK + "()[]!\u3002"


def lines(text: str) -> tuple[str, ...]:
    r"""The lines that say something, without the bullets and numbers before them.

    Example:
        >>> lines("1. Who owns it?\n\n- When did it open?\n```\n(3) 3.5 per cent")
        ('Who owns it?', 'When did it open?', '3.5 per cent')
    """
    bare = (_BULLET.sub("", line).strip() for line in _FENCED.sub("", text).splitlines())
    return tuple(line for line in bare if line.strip(_BLANK))


def unprompted(text: str, prompt: str) -> str:
    r"""The reply without lines that are the prompt's own: a small model may say back what it was told.

    Short lines are the prompt's own only where they are the beginning of one of its lines, and a longer one came back.

    Args:
        text: the reply.
        prompt: what the model was told, without any documents, which may well be quoted.

    Example:
        >>> asked = "Write one line of at most ten keywords.\n\nQuestion: When is rent due?\nKeywords:"
        >>> unprompted("Write one line of at most ten keywords.\n\nQuestion: When is rent due?\nKey", asked)
        ''
        >>> unprompted("landlord, month, ten keywords", asked)
        'landlord, month, ten keywords'
    """
    told, own = _plain(prompt), [_plain(line) for line in prompt.splitlines()]
    left = [line for line in text.splitlines() if len(_plain(line)) < _TOLD or _plain(line) not in told]
    if len(left) < len(text.splitlines()):
        left = [line for line in left if _plain(line) and not any(one.startswith(_plain(line)) for one in own)]
    return "\n".join(left)


def numbers(text: str) -> list[int]:
    """The passages that a text names by marks like [3], [1, 2] and [4-6], each once, in order.

    Example:
        >>> numbers("Three months [12]. See also [3, 5-7]; in [2020] figures.")
        [12, 3, 5, 6, 7, 2020]
    """
    return list(dict.fromkeys(number for found in _MARKS.finditer(text) for number in _listed(found[1])))


def renumbered(text: str, new: dict[int, int]) -> str:
    """The text with the numbers in its marks replaced; marks with a number that has no new one stay as they are.

    Example:
        >>> renumbered("Three months [1041, 7]. In [2020].", {1041: 2, 7: 1})
        'Three months [2, 1]. In [2020].'
    """

    def again(found: re.Match[str]) -> str:
        listed = _listed(found[1])
        return f"[{', '.join(str(new[n]) for n in listed)}]" if all(n in new for n in listed) else found[0]

    return _MARKS.sub(again, text)


def nothing(text: str) -> bool:
    """Whether a reply says that there is nothing, or says nothing.

    Example:
        >>> [nothing(said) for said in ("Nothing new.", "- None", "NONE", "", "None of the tenants paid [3].")]
        [True, True, True, True, False]
    """
    said = lines(text)
    return len(said) == 0 or (len(said) == 1 and bool(_NOTHING.match(said[0].strip(_WRAP))))


def json_value(text: str, adapter: TypeAdapter[T]) -> tuple[T | None, str]:
    """The first JSON value in a reply, checked; and what is wrong with it, in words the model can act on.

    Args:
        text: the reply; words and code fences around the value are passed over.
        adapter: what the value must be.

    Example:
        >>> from pydantic import TypeAdapter
        >>> json_value('Here you are: ```json [1, 2] ```', TypeAdapter(list[int]))
        ([1, 2], '')
        >>> json_value("I cannot.", TypeAdapter(list[int]))
        (None, 'it holds no JSON value')
    """
    from pydantic import ValidationError

    found, value = value_in(text)
    if not found:
        return None, "it holds no JSON value"
    try:
        return adapter.validate_python(value), ""
    except ValidationError as error:
        told = [f"{'.'.join(map(str, one['loc'])) or 'value'}: {one['msg']}" for one in error.errors()[:5]]
        return None, "; ".join(told)


def value_in(reply: str) -> tuple[bool, object]:
    """Whether there is a JSON value, and it: the whole reply, or the first object or list that can be read in it."""
    try:
        return True, json.loads(reply)
    except (json.JSONDecodeError, RecursionError):
        pass
    decoder = json.JSONDecoder()
    for start in [i for i, character in enumerate(reply) if character in "{["][:64]:
        try:
            return True, decoder.raw_decode(reply, start)[0]
        except (json.JSONDecodeError, RecursionError):
            continue
    return False, None


def _plain(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _listed(inner: str) -> list[int]:
    def spread(found: re.Match[str]) -> str:
        first, last = int(found[1]), int(found[2])
        return " ".join(map(str, range(first, min(last, first + _SPREAD) + 1)))

    return [int(number) for number in re.findall(r"\d+", _RANGE.sub(spread, inner))]
