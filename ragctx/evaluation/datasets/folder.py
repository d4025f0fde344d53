"""Reads question sets kept as one folder: `normalized.jsonl`, and document files beside it.

A row is a JSON object with `id`, `question`, `answers` and `group` (the document or article it is about), and its text
either inline, `contexts` = [{"title", "text"}, ...], or as `document_path`, a path or a list of paths relative to the
folder. `evidence` holds gold spans {"start", "end"} in characters, with `context` = index into the texts (0 when
absent). Optional: `answerable`, `history`, `task`. Rows are read one at a time; nothing is loaded before it is needed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ragctx.errors import InputError
from ragctx.evaluation.datasets.example import Example
from ragctx.types import Document, Question, Span, Turn

ROWS = "normalized.jsonl"
_FILES_HELD = 4  # neighbouring rows ask about the same document
_LABELS = {"ANSWERABLE": True, "UNANSWERABLE": False}
_Load = Callable[[Path], str]


def examples(folder: str | Path, *, limit: int | None = None) -> Iterator[Example]:
    """The rows of a question set, in file order, lazily.

    Args:
        folder: holds `normalized.jsonl`.
        limit: stop after so many rows; all when None.

    Raises:
        InputError: the folder, a line, a document file or a gold span is not usable; the message names the line.

    Example:
        >>> import tempfile
        >>> row = {"id": "1", "question": "Who?", "answers": ["Ada"], "group": "g",
        ...        "contexts": [{"title": "", "text": "Ada did."}], "evidence": [{"context": 0, "start": 0, "end": 3}]}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, ROWS).write_text(json.dumps(row))
        ...     [one] = examples(folder)
        >>> one.documents[0].text[one.gold[0].start : one.gold[0].end]
        'Ada'
    """
    root = Path(folder)
    path = root / ROWS
    if not path.is_file():
        raise InputError(f"no question set in {root}: the folder must hold {ROWS}")
    return _examples(root, path, limit)


def _examples(root: Path, path: Path, limit: int | None) -> Iterator[Example]:
    load = lru_cache(maxsize=_FILES_HELD)(_read)
    given = 0
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if limit is not None and given >= limit:
                return
            if not line.strip():
                continue
            yield _example(root, line, f"{path}:{number}", load)
            given += 1


def _example(root: Path, line: bytes, where: str, load: _Load) -> Example:
    try:
        row = json.loads(line)
        documents = _documents(root, row, load)
        return Example(_question(row), documents, _gold(row, documents), str(row["group"]))
    except KeyError as missing:
        raise InputError(f"{where}: the row has no {missing}; add it or remove the line") from missing
    except (TypeError, AttributeError, ValueError, InputError) as wrong:  # ValueError: JSON and UTF-8 errors too
        raise InputError(f"{where}: {wrong}: mend the line or remove it") from wrong


def _question(row: Mapping[str, Any]) -> Question:
    answers = row["answers"]
    if not isinstance(answers, list):
        raise InputError(f"answers must be a list, got {type(answers).__name__}")
    return Question(
        text=row["question"],
        id=str(row["id"]),
        history=tuple(_turn(turn) for turn in row.get("history") or ()),
        answers=tuple(str(answer) for answer in answers),
        kind=str(row.get("task", "")),
        answerable=_answerable(row),
    )


def _turn(turn: Mapping[str, str]) -> Turn:
    return Turn("user" if turn["speaker"] == "user" else "assistant", turn["text"])


def _answerable(row: Mapping[str, Any]) -> bool | None:
    """The label itself, or what the words of a multi-label set amount to; None where it says neither."""
    if "answerable" in row:
        return bool(row["answerable"])
    labels = row.get("answerability") or [""]
    return _LABELS.get(labels[0])


def _documents(root: Path, row: Mapping[str, Any], load: _Load) -> tuple[Document, ...]:
    if "contexts" in row:
        return tuple(
            Document(id=f"{row['id']}#{index}", text=context["text"], title=context.get("title", ""))
            for index, context in enumerate(row["contexts"])
        )
    named = row["document_path"]
    paths = [named] if isinstance(named, str) else named
    return tuple(Document(id=name, text=load(_inside(root, name)), source=name) for name in paths)


def _inside(root: Path, name: str) -> Path:
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise InputError(f"document_path {name!r} leaves the folder of the set")
    return path


def _read(path: Path) -> str:
    """The file's characters as they are: translating line ends would move every gold span."""
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _gold(row: Mapping[str, Any], documents: tuple[Document, ...]) -> tuple[Span, ...]:
    return tuple(_span(piece, documents) for piece in row.get("evidence") or ())


def _span(piece: Mapping[str, int], documents: tuple[Document, ...]) -> Span:
    index = piece.get("context", 0)
    if not 0 <= index < len(documents):
        raise InputError(f"evidence names context {index} of {len(documents)}")
    document = documents[index]
    start, end, length = piece["start"], piece["end"], len(document.text)
    if not 0 <= start <= end <= length + 1:
        raise InputError(f"evidence {start}..{end} lies outside {document.id}, which has {length} characters")
    # Sets whose spans were counted before a text's last line end was stripped run over by that one character.
    return Span(document.id, min(start, length), min(end, length))
