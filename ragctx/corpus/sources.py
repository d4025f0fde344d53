"""What the user named, as a list of things to read: files (found in folders too) and texts already in memory."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ragctx.corpus.text import digest
from ragctx.errors import InputError, UnreadableDocument
from ragctx.types import Document
from ragctx.types.documents import Scalar


@dataclass(frozen=True, slots=True)
class FileItem:
    """A file to read. `alone`: the user named it, so that it must be readable."""

    key: str
    base: str
    root: str
    size: int
    changed: int
    alone: bool


@dataclass(frozen=True, slots=True)
class TextItem:
    """A document already in memory."""

    key: str
    base: str
    document: Document

    @property
    def root(self) -> str:
        """A text is its own root."""
        return self.key


Item = FileItem | TextItem


def items(sources: Iterable[object]) -> list[Item]:
    """Everything to read, in the order named, folders sorted by path; each id base once.

    Raises:
        UnreadableDocument: a path does not exist. InputError: a source of an unknown kind, or two texts of one id.
    """
    found: dict[str, Item] = {}
    for source in sources:
        for item in _items(source):
            found.setdefault(item.key, item)
    return _distinct(list(found.values()))


def root_of(source: object) -> str:
    """What a source is known by: its absolute path, or a digest of the text and what is said about it."""
    if isinstance(source, (str, Path)):
        return str(absolute(source))
    return memory_key(as_document(source))


def absolute(path: str | Path) -> Path:
    """The absolute path, without following links."""
    return Path(os.path.abspath(Path(path).expanduser()))


def memory_key(document: Document) -> str:
    """Key of a text in memory: equal only for equal documents."""
    said = json.dumps([document.id, document.source, document.title, document.pages, dict(document.metadata)])
    return f"memory:{digest(said)[:16]}{(document.digest or text_digest(document))[:16]}"


def text_digest(document: Document) -> str:
    """Digest of a document's text, read by the slice."""
    hashed, text = hashlib.sha256(), document.text
    for start in range(0, len(text), 1 << 20):
        hashed.update(text[start : start + (1 << 20)].encode("utf-8", "surrogatepass"))
    return hashed.hexdigest()[:32]


def as_document(source: object) -> Document:
    """A `Document`, also from an object with `page_content` and `metadata`, as LangChain's are.

    Raises:
        InputError: it is something else.
    """
    if isinstance(source, Document):
        return source
    content, metadata = getattr(source, "page_content", None), getattr(source, "metadata", None)
    if not isinstance(content, str):
        raise InputError(f"a {type(source).__name__} is not a source: give a path, a Document or a LangChain document")
    kept = _scalars(metadata or {})
    named = str(getattr(source, "id", None) or kept.get("source") or "") or f"document-{digest(content)[:8]}"
    return Document(named, content, source=str(kept.get("source", "")), title=str(kept.get("title", "")), metadata=kept)


def _scalars(metadata: Mapping[str, Any]) -> dict[str, Scalar]:
    plain = (str, int, float, bool, type(None))
    return {str(k): v if isinstance(v, plain) else json.dumps(v, default=str) for k, v in metadata.items()}


def _items(source: object) -> Iterator[Item]:
    if not isinstance(source, (str, Path)):
        document = as_document(source)
        yield TextItem(memory_key(document), document.id, document)
        return
    path = absolute(source)
    if path.is_dir():
        yield from _walk(path, path, {_identity(path)})
    elif path.exists():
        yield _file(path, path.name, str(path), alone=True)
    else:
        raise UnreadableDocument(str(source), "there is no such file or folder", "check the path")


def _walk(root: Path, folder: Path, seen: set[tuple[int, int]]) -> Iterator[FileItem]:
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        if entry.name.startswith("."):
            continue
        path = Path(entry.path)
        if entry.is_file():
            yield _file(path, path.relative_to(root).as_posix(), str(root), alone=False)
        elif entry.is_dir() and (identity := _identity(path)) not in seen:
            yield from _walk(root, path, seen | {identity})


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _file(path: Path, base: str, root: str, *, alone: bool) -> FileItem:
    found = path.stat()
    return FileItem(str(path), base, root, found.st_size, found.st_mtime_ns, alone)


def _distinct(found: list[Item]) -> list[Item]:
    """Give files of one relative name in several folders different ids, by more of their paths."""
    taken: set[str] = set()
    distinct = []
    for item in found:
        base = item.base
        if base in taken and isinstance(item, TextItem):
            base = _numbered(item, taken)
        elif base in taken:
            base = next((name for name in _longer(Path(item.key)) if name not in taken), item.key)
        taken.add(base)
        distinct.append(item if base == item.base else replace(item, base=base))
    return distinct


def _longer(path: Path) -> Iterator[str]:
    parts = path.parts
    return ("/".join(parts[-n:]) for n in range(2, len(parts)))


def _numbered(item: TextItem, taken: set[str]) -> str:
    """Pieces of one source share its name in LangChain, and are told apart by number; ids given by hand must differ."""
    if "source" not in item.document.metadata:
        raise InputError(f"two documents have the id {item.base!r}: give each its own id")
    number = 2
    while f"{item.base}#{number}" in taken:
        number += 1
    return f"{item.base}#{number}"
