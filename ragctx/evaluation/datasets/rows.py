"""Rows of JSON and of tables, whose fields are asked for by name and type; what is wrong names file, row and field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from ragctx.errors import InputError
from ragctx.types import Document, Span

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """One object of a file.

    Attributes:
        place: the file, and where in it, e.g. "dev.json, row 3".
    """

    place: str
    values: Mapping[str, Any]

    def text(self, *names: str, default: str | None = None) -> str:
        """The text of the first of these fields that is there; a number is taken as it is written.

        Raises:
            InputError: none is there and there is no default, or it is no text.
        """
        name = next((name for name in names if self.values.get(name) is not None), None)
        if name is None:
            return default if default is not None else self.wrong(names[0], "is missing")
        value = self.values[name]
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self.wrong(name, f"must be text, not {type(value).__name__}")
        return str(value)

    def filled(self, *names: str) -> str:
        """As `text`, and refused where it is blank."""
        found = self.text(*names)
        return found if found.strip() else self.wrong(names[0], "is empty")

    def texts(self, *names: str) -> tuple[str, ...]:
        """A list of texts; one text stands for a list of one."""
        name = next((name for name in names if self.values.get(name) is not None), None)
        if name is None:
            self.wrong(names[0], "is missing")
        value = self.values[name]
        every = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str | int | float) and not isinstance(one, bool) for one in every):
            self.wrong(name, "must be a text or a list of texts")
        return tuple(map(str, every))

    def rows(self, name: str) -> Iterator[Row]:
        """The objects of a list."""
        value = self.values.get(name)
        if not isinstance(value, list):
            self.wrong(name, "is missing" if value is None else f"must be a list, not {type(value).__name__}")
        for number, each in enumerate(value):
            yield row_of(each, f"{self.place}, {name}[{number}]")

    def whole(self, name: str) -> int:
        """A whole number, not below zero."""
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self.wrong(name, "is missing" if value is None else f"must be a whole number from 0, not {value!r}")
        return value

    def span(self, document: Document, start: int, quoted: str, name: str) -> Span:
        """Where a document says what is quoted.

        Raises:
            InputError: it says something else there.
        """
        end = start + len(quoted)
        if document.text[start:end] != quoted:
            self.wrong(name, f"{start} is not where the text says {quoted[:40]!r}")
        return Span(document.id, start, end)

    def wrong(self, field: str, why: str) -> NoReturn:
        """Refuse the row.

        Raises:
            InputError: always.
        """
        raise InputError(f"{self.place}, field {field!r}: {why}; mend the row or remove it")


def row_of(value: object, place: str) -> Row:
    """A JSON value as a row.

    Raises:
        InputError: it is no object.

    Example:
        >>> row_of({"answers": "Ada"}, "dev.json, row 3").texts("answers")
        ('Ada',)
    """
    if not isinstance(value, dict):
        raise InputError(f"{place}: must be an object, not {type(value).__name__}; mend the row or remove it")
    return Row(place, value)


def lines(path: Path) -> Iterator[Row]:
    """The objects of a file with one a line, or of a JSON list.

    Raises:
        InputError: the file cannot be read, or a line is not an object.
    """
    text = content(path)
    if text.lstrip().startswith("["):
        for number, value in enumerate(_parsed(text, str(path)), 1):
            yield row_of(value, f"{path}, row {number}")
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield row_of(_parsed(line, f"{path}, row {number}"), f"{path}, row {number}")


def whole(path: Path) -> Row:
    """A file that is one object.

    Raises:
        InputError: it cannot be read, or is none.
    """
    return row_of(_parsed(content(path), str(path)), str(path))


def table(path: Path, columns: int) -> Iterator[tuple[int, list[str]]]:
    """The cells of a file with tabs between them, and each line's number.

    Raises:
        InputError: the file cannot be read, or a line has fewer cells.
    """
    for number, line in enumerate(content(path).split("\n"), 1):
        cells = line.rstrip("\r").split("\t")
        if not line.strip():
            continue
        if len(cells) < columns:
            raise InputError(f"{path}, row {number}: has {len(cells)} of {columns} columns; put tabs between them")
        yield number, cells


def content(path: Path) -> str:
    """The text of a file, its line ends as they are.

    Raises:
        InputError: it is not there, or not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read the data set {path}: {error.strerror}; check the path") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, row {line}: not UTF-8; save the file as UTF-8") from error


def _parsed(text: str, place: str) -> Any:  # noqa: ANN401 - JSON values are what they are
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InputError(f"{place}: not JSON ({error}); mend the row or remove it") from error
