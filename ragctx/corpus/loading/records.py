"""A record, from a JSON line or a table row, as one document."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ragctx.corpus.loading.extracted import Extracted
from ragctx.types.documents import Scalar

# The column that is the text, in this order; names are compared without case.
TEXT = ("text", "content", "page_content", "body", "passage", "document", "article", "abstract")
TITLE = ("title", "name", "headline")


def document(record: Mapping[str, object], number: int) -> Extracted | None:
    r"""The document of a record; None where it has no text.

    A text-like column is the text and the others are metadata; without one, the text is a line `key: value` for each
    column, and all are metadata too.

    Args:
        record: column -> value.
        number: what its id ends with.

    Example:
        >>> row = document({"city": "Oslo", "people": 700000}, 3)
        >>> row.suffix, "".join(row.pieces)
        ('#3', 'city: Oslo\npeople: 700000')
    """
    columns = {key: value for key, value in record.items() if value not in (None, "")}
    key = _column(columns, TEXT)
    if key is None:
        text = "\n".join(f"{name}: {scalar(value)}" for name, value in columns.items())
    else:
        text = str(columns.pop(key))
    if not text.strip():
        return None
    named = _column(columns, TITLE)
    title = str(columns[named]) if named else ""
    metadata = {name: scalar(value) for name, value in columns.items()}
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return Extracted((text,), f"#{number}", title, metadata=metadata)


def scalar(value: object) -> Scalar:
    """The value itself, or its JSON where it has parts."""
    return value if isinstance(value, (str, int, float, bool)) else json.dumps(value, ensure_ascii=False, default=str)


def _column(columns: Mapping[str, object], wanted: tuple[str, ...]) -> str | None:
    found = {name.lower(): name for name, value in columns.items() if isinstance(value, str)}
    return next((found[name] for name in wanted if name in found), None)
