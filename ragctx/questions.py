"""Questions from files and lists, checked as a whole: every bad line is told at once, with its number.

A row is an object with `question` (or `text`) and, where wanted, `id`, `answers`, `kind`, `answerable`, `history`,
`where`, `instructions`, `budget` and `metadata`; any other plain value is kept in the question's metadata. In CSV these
are columns, lists and objects written as JSON.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, overload

from ragctx.errors import BadQuestion, InputError
from ragctx.types import Question
from ragctx.types.rows import question_of

Row = tuple[int, object]
_SHOWN: Final = 10
_STRUCTURED: Final = frozenset({"answers", "history", "where", "budget", "metadata"})


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that is not a question, and why. In a .json list, lines are entries counted from 1."""

    line: int
    why: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.why}"


@dataclass(frozen=True, slots=True)
class Questions(Sequence[Question]):
    """A sequence of questions with distinct ids.

    Attributes:
        problems: lines that were left out, when read with `strict=False`.

    Example:
        >>> asked = Questions.of(["What is the rent?", "Are pets allowed?"])
        >>> len(asked), asked[1].text, asked.problems
        (2, 'Are pets allowed?', ())
    """

    _every: tuple[Question, ...]
    problems: tuple[Problem, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Question: ...
    @overload
    def __getitem__(self, index: slice) -> Questions: ...
    def __getitem__(self, index: int | slice) -> Question | Questions:
        return Questions(self._every[index]) if isinstance(index, slice) else self._every[index]

    def __len__(self) -> int:
        return len(self._every)

    def __iter__(self) -> Iterator[Question]:
        return iter(self._every)

    @classmethod
    def one(cls, question: str | Question | Mapping[str, object]) -> Question:
        """One question from a text, a `Question` or a row.

        Raises:
            BadQuestion: it is none; the message says why.

        Example:
            >>> Questions.one({"question": "What is the rent?", "where": "lease*"}).where.documents
            ('lease*',)
        """
        try:
            return question_of(question)
        except ValueError as error:
            raise BadQuestion(f"this is not a question: {error}") from error

    @classmethod
    def of(cls, questions: Iterable[str | Question | Mapping[str, object]]) -> Questions:
        """Questions from texts, `Question`s and rows.

        The same text twice without an id gets ids ending in `-2`, `-3`, ...; an id given twice is an error.

        Raises:
            BadQuestion: something is not a question, or an id is used twice; entries are counted from 1.
        """
        return _checked(enumerate(questions, 1), "the list of questions", strict=True)

    @classmethod
    def read(cls, path: str | Path, *, strict: bool = True) -> Questions:
        """Questions from a file: .jsonl, .json (a list), .csv, .tsv, or .txt with one question a line.

        Blank lines are skipped. UTF-8, with or without a byte order mark; UTF-16 with one.

        Args:
            path: the file.
            strict: False keeps the good questions and puts the bad lines into `problems`.

        Raises:
            InputError: the file is missing, unreadable, or of another kind.
            BadQuestion: lines that are not questions, all of them counted and the first ten told.
        """
        path = Path(path)
        rows = _READERS.get(path.suffix.lower())
        if rows is None:
            raise InputError(f"{path} is not a question file: give {', '.join(FILES)}")
        return _checked(rows(_text(path), path), str(path), strict=strict)


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        return raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read the questions in {path}: {error.strerror}; check the path") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise BadQuestion(f"{path}, line {line}: not UTF-8; save the file as UTF-8") from error


def _checked(rows: Iterable[Row], source: str, *, strict: bool) -> Questions:
    good: list[Question] = []
    problems: list[Problem] = []
    first_at: dict[str, int] = {}
    for line, row in rows:
        try:
            question = _distinct(_read(row), first_at)
        except (ValueError, BadQuestion) as error:
            problems.append(Problem(line, str(error)))
            continue
        first_at[question.id] = line
        good.append(question)
    if problems and strict:
        raise BadQuestion(_summary(source, problems, len(good)))
    if not good and not problems and strict:
        raise BadQuestion(f"{source} holds no question: give at least one")
    return Questions(tuple(good), tuple(problems))


def _read(row: object) -> Question:
    """The row as a question; a line that could not even be parsed arrives as its error."""
    if isinstance(row, ValueError):
        raise row
    return question_of(row)


def _summary(source: str, problems: Sequence[Problem], good: int) -> str:
    shown = "; ".join(map(str, problems[:_SHOWN]))
    more = f"; and {len(problems) - _SHOWN:,} more" if len(problems) > _SHOWN else ""
    count = f"{len(problems):,} bad line{'s' if len(problems) > 1 else ''}"
    remedy = f", or read with strict=False to keep the {good:,} good ones" if good else ""
    return f"{source} has {count}: {shown}{more}. Mend them{remedy}"


def _distinct(question: Question, first_at: Mapping[str, int]) -> Question:
    """The question itself, or with a numbered id when its id was only made from its text and is taken."""
    if question.id not in first_at:
        return question
    if question.id != Question(question.text).id:
        raise ValueError(f"id {question.id!r} was used on line {first_at[question.id]}")
    number = next(n for n in range(2, len(first_at) + 3) if f"{question.id}-{n}" not in first_at)
    return replace(question, id=f"{question.id}-{number}")


def _from_jsonl(text: str, path: Path) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, _json(line)


def _json(text: str) -> object:
    """The JSON value, or the error that says what is wrong with it (told with the other bad lines)."""
    try:
        return json.loads(text)
    except RecursionError:
        return ValueError("not JSON that a question can be: nested too deep")
    except json.JSONDecodeError as error:
        return ValueError(f"not JSON ({error.msg} at character {error.pos + 1})")


def _from_json(text: str, path: Path) -> Iterator[Row]:
    value = _json(text)
    if isinstance(value, Mapping) and "questions" in value:
        value = value["questions"]
    if isinstance(value, ValueError) or not isinstance(value, list):
        raise BadQuestion(
            f"{path}: {value if isinstance(value, ValueError) else 'not a list'}; give a list of questions"
        )
    yield from enumerate(value, 1)


def _from_text(text: str, path: Path) -> Iterator[Row]:
    return ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip())


def _from_csv(text: str, path: Path) -> Iterator[Row]:
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restkey="")
    names = [name.strip() for name in reader.fieldnames or ()]
    if "question" not in names and "text" not in names:
        raise BadQuestion(f"{path} has no column 'question' (it has {', '.join(names) or 'none'}): name one in line 1")
    reader.fieldnames = names
    before = reader.line_num
    for row in reader:
        yield before + 1, _cells(row)
        before = reader.line_num


def _cells(row: Mapping[str, Any]) -> object:
    if "" in row and isinstance(row[""], list):
        return ValueError(f"has {len(row[''])} more cells than line 1 has columns: quote cells that hold commas")
    filled = {key: cell for key, cell in row.items() if key and cell is not None and cell.strip()}
    if not filled:
        return ValueError("has only empty cells")
    return {
        key: _json(cell) if key in _STRUCTURED and cell.lstrip()[:1] in "[{" else cell for key, cell in filled.items()
    }


_READERS: Final[Mapping[str, Callable[[str, Path], Iterator[Row]]]] = {
    ".jsonl": _from_jsonl,
    ".ndjson": _from_jsonl,
    ".json": _from_json,
    ".csv": _from_csv,
    ".tsv": _from_csv,
    ".txt": _from_text,
}
FILES: Final = tuple(sorted(_READERS))
"""How names of question files end."""
