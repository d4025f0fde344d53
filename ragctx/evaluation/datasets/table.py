"""Every form of data set by its name, and the one way to read any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

from ragctx.errors import InputError, UnknownName
from ragctx.evaluation.datasets import longcontext, retrieval
from ragctx.evaluation.datasets.example import Example
from ragctx.evaluation.datasets.folder import ROWS, examples
from ragctx.evaluation.datasets.own import own
from ragctx.evaluation.datasets.squad import squad

FORMATS: Final[Mapping[str, Callable[[Path], Iterator[Example]]]] = {
    "folder": examples,
    "own": own,
    "squad": squad,
    "longbench": longcontext.longbench,
    "leval": longcontext.leval,
    "lara": longcontext.lara,
    "ruler": longcontext.ruler,
    "beir": retrieval.beir,
    "triples": retrieval.triples,
}


def read(named: str | Path, *, limit: int | None = None) -> Iterator[Example]:
    """The examples of a data set, checked as they are read.

    Args:
        named: FORM:PATH, e.g. "squad:dev.json"; without a form, a folder with normalized.jsonl, or our own rows.
        limit: so many rows at most.

    Raises:
        UnknownName: no such form. InputError: the file, a row or a field cannot be used, or an id is there twice.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "asked.jsonl")
        ...     _ = path.write_text('{"question": "Who?", "answers": "Ada", "document": "Ada did."}')
        ...     [one] = read(f"own:{path}")
        >>> one.documents[0].text, one.question.answers
        ('Ada did.', ('Ada',))
    """
    form, colon, rest = str(named).partition(":")
    if not colon or Path(named).exists():
        path = Path(named)
        form = "folder" if (path / ROWS).is_file() else "own"
    else:
        path = Path(rest).expanduser()
    if form not in FORMATS:
        raise UnknownName("form of data set", form, FORMATS)
    return _distinct(islice(FORMATS[form](path), limit), path)


def _distinct(found: Iterator[Example], path: Path) -> Iterator[Example]:
    seen: dict[str, int] = {}
    for number, example in enumerate(found, 1):
        name = example.question.id
        if name in seen:
            raise InputError(f"{path}, row {number}, field 'id': {name!r} is that of row {seen[name]}; change one")
        seen[name] = number
        yield example
