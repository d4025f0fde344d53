"""A job's finished rows as JSONL (everything) or CSV (flat columns for a spreadsheet)."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from ragctx.batch.codec import plain
from ragctx.batch.keys import question_json
from ragctx.errors import ConfigError, StoreFull

if TYPE_CHECKING:
    from ragctx.batch.results import RowResult
    from ragctx.batch.store import JobStore
    from ragctx.types import Answer

Format = Literal["jsonl", "csv"]
COLUMNS = (
    "id", "question", "strategy", "answer", "answerable", "confidence", "citations", "sources",
    "prompt_tokens", "output_tokens", "calls", "seconds", "money", "error", "message",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        rows: lines written, failures included. failed: of them. pending: rows of the job that are not in the file.
    """

    path: Path
    rows: int
    failed: int
    pending: int


def export(store: JobStore, path: str | Path, format: Format | None = None) -> Exported:
    """Write every finished row, in the order the questions were given; the file appears whole or not at all.

    Args:
        store: the job; another process may be running it.
        path: of the file, replaced if it is there.
        format: by the file's ending when not given, and JSONL where that says nothing.

    Raises:
        ConfigError: unknown format, or no such folder. StoreFull: no room; nothing was written.
    """
    path = Path(path).expanduser()
    write = _writer(format or ("csv" if path.suffix.lower() == ".csv" else "jsonl"))
    counts = [0, 0]
    with _whole(path) as file:
        write(file, _counted(store, counts))
    [(total,)] = store.query("SELECT count(*) FROM rows")
    return Exported(path, counts[0], counts[1], total - counts[0])


def row_json(result: RowResult) -> dict[str, Any]:
    """One row as JSONL holds it: the question, what was decided, and either the whole answer or the failure."""
    return {
        "id": result.id,
        "question": json.loads(question_json(result.question)),
        "strategy": result.decision.strategy,
        "answer": plain(result.answer),
        "error": plain(result.failure),
    }


def row_cells(result: RowResult) -> dict[str, object]:
    """One row as CSV holds it; a failed row has an error instead of an answer."""
    cells: dict[str, object] = {"id": result.id, "question": result.question.text, "strategy": result.decision.strategy}
    if result.answer is not None:
        cells |= _answer_cells(result.answer)
    if result.failure is not None:
        cells |= {"error": result.failure.name, "message": result.failure.message}
    return {name: safe(value) for name, value in cells.items()}


def safe(value: object) -> object:
    r"""A cell that no spreadsheet takes for a formula: text that could begin one gets a leading apostrophe.

    Example:
        >>> safe('=HYPERLINK("http://x")'), safe(-3.5), safe("Three months.")
        ('\'=HYPERLINK("http://x")', -3.5, 'Three months.')
    """
    return f"'{value}" if isinstance(value, str) and value.lstrip(" \ufeff").startswith(_FORMULA) else value


def _answer_cells(answer: Answer) -> dict[str, object]:
    usage = answer.usage
    places = (c.source if c.page is None else f"{c.source} p. {c.page}" for c in answer.citations)
    return {
        "answer": answer.text,
        "answerable": "yes" if answer.answerable else "no",
        "confidence": answer.confidence,
        "citations": " | ".join(citation.text for citation in answer.citations),
        "sources": " | ".join(dict.fromkeys(places)),
        "prompt_tokens": usage.prompt,
        "output_tokens": usage.output,
        "calls": usage.calls,
        "seconds": round(usage.seconds, 3),
        "money": usage.money,
    }


def _counted(store: JobStore, counts: list[int]) -> Iterator[RowResult]:
    for result in store.results():
        counts[0] += 1
        counts[1] += result.failure is not None
        yield result


def _write_jsonl(file: IO[str], results: Iterator[RowResult]) -> None:
    for result in results:
        file.write(json.dumps(row_json(result), ensure_ascii=False) + "\n")


def _write_csv(file: IO[str], results: Iterator[RowResult]) -> None:
    table = csv.DictWriter(file, COLUMNS, restval="")
    table.writeheader()
    table.writerows(map(row_cells, results))


_WRITERS: dict[str, Callable[[IO[str], Iterator[RowResult]], None]] = {"jsonl": _write_jsonl, "csv": _write_csv}


def _writer(name: str) -> Callable[[IO[str], Iterator[RowResult]], None]:
    if name not in _WRITERS:
        raise ConfigError(f"unknown format {name!r}: use jsonl (everything) or csv (flat columns)")
    return _WRITERS[name]


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[IO[str]]:
    """A file that takes its name when it is complete and on the disk."""
    if not path.parent.is_dir():
        raise ConfigError(f"there is no folder {path.parent} to export to: create it, or name another")
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except OSError as error:
        raise StoreFull(f"cannot write {path} ({error.strerror}): free some space, or export elsewhere") from error
    finally:
        Path(name).unlink(missing_ok=True)
