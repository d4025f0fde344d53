"""One row of plain values (an object of JSON, a line of CSV) as a `Question`; what is wrong with it is a ValueError."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ragctx.errors import ConfigError
from ragctx.types.costs import Budget
from ragctx.types.questions import Question, Turn, Where

_SPEAKERS: Final = {"user": "user", "human": "user", "assistant": "assistant", "ai": "assistant", "agent": "assistant"}
_TRUTH: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def question_of(row: object) -> Question:
    """A text, a `Question`, or an object with `question` (or `text`) and further fields, as a question.

    Raises:
        ValueError: it is not one; the message says what is wrong. BadQuestion: its text is blank.

    Example:
        >>> question_of({"question": "What is the rent?", "id": 7, "answers": "900", "source": "lease"}).metadata
        {'source': 'lease'}
    """
    if isinstance(row, Question):
        return row
    if isinstance(row, str):
        row = {"question": row}
    if not isinstance(row, Mapping):
        raise ValueError(f"a question is a text or an object with 'question', not {type(row).__name__}")
    named = {("text" if key == "question" else str(key)): value for key, value in row.items() if value is not None}
    if "question" in row and "text" in row:
        raise ValueError("has both 'question' and 'text': keep one")
    if "text" not in named:
        raise ValueError(f"has no 'question' (it has {', '.join(map(repr, row)) or 'nothing'})")
    fields = {key: convert(named.pop(key)) for key, convert in _FIELDS.items() if key in named}
    extra = {key: _plain(key, value) for key, value in named.items()}
    return Question(**fields | {"metadata": extra | fields.get("metadata", {})})


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"needs text, not {value!r}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError("holds half a character (a lone surrogate)") from error
    return value


def _identity(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"id must be text or a number, not {value!r}")
    return _string(str(value)).strip()


def _answers(value: object) -> tuple[str, ...]:
    given = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(answer, str | int | float) for answer in given):
        raise ValueError("answers must be a text or a list of texts")
    return tuple(str(answer) for answer in given)


def _truth(value: object) -> bool:
    truth = _TRUTH.get(str(value).strip().lower())
    if truth is None:
        raise ValueError(f"answerable must be true or false, not {value!r}")
    return truth


def _history(value: object) -> tuple[Turn, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError("history must be a list of turns")
    return tuple(map(_turn, value))


def _turn(value: object) -> Turn:
    if isinstance(value, Turn):
        return value
    if not isinstance(value, Mapping):
        raise ValueError('a turn of history is {"speaker": "user" or "assistant", "text": ...}')
    speaker = _SPEAKERS.get(str(value.get("speaker", value.get("role", ""))).lower())
    text = value.get("text", value.get("content"))
    if speaker is None or not isinstance(text, str):
        raise ValueError('a turn of history is {"speaker": "user" or "assistant", "text": ...}')
    return Turn("user" if speaker == "user" else "assistant", text)


def _where(value: object) -> Where:
    if isinstance(value, Where):
        return value
    if isinstance(value, str):
        return Where(documents=(value,))
    if not isinstance(value, Mapping) or not value.keys() <= {"documents", "metadata", "pages"}:
        raise ValueError("where is a pattern, or an object with documents, metadata, pages")
    documents = value.get("documents", ())
    names = documents if isinstance(documents, list | tuple) else (documents,)
    return Where(tuple(map(_string, names)), _metadata(value.get("metadata", {})), _pages(value.get("pages")))


def _pages(value: object) -> tuple[int, int] | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(type(page) is int for page in value):
        raise ValueError("where.pages must be the first and the last page, e.g. [2, 5]")
    return value[0], value[1]


def _budget(value: object) -> Budget:
    if isinstance(value, Budget):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        value = {"tokens": value}
    if not isinstance(value, Mapping) or not value.keys() <= {"tokens", "money", "seconds", "calls"}:
        raise ValueError("budget is a number of tokens, or an object with tokens, money, seconds, calls")
    if not all(isinstance(amount, int | float) and not isinstance(amount, bool) for amount in value.values()):
        raise ValueError("a budget's ceilings must be numbers")
    try:
        return Budget(**value)
    except ConfigError as error:
        raise ValueError(str(error)) from error


def _metadata(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("metadata must be an object of plain values")
    return {str(key): _plain(str(key), item) for key, item in value.items()}


def _plain(key: str, value: object) -> str | int | float | bool | None:
    if value is not None and not isinstance(value, str | int | float | bool):
        raise ValueError(f"unknown field {key!r} (known: {', '.join(_FIELDS)}; other fields must be plain values)")
    return value


_FIELDS: Final[Mapping[str, Callable[[object], Any]]] = {
    "text": _string,
    "id": _identity,
    "answers": _answers,
    "kind": _string,
    "answerable": _truth,
    "history": _history,
    "where": _where,
    "instructions": _string,
    "budget": _budget,
    "metadata": _metadata,
}
