"""What the user named, as a list of things to read: files (found in folders too) and texts already in memory."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ragctx.corpus.text import digest
from ragctx.errors import InputError, UnreadableDocument, readable
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
    """A document in memory.

    Attributes:
        document: the document; None once it is in the store and need not be held any more.
        shared: its id is the name of a source that several pieces may share, so a number may be added to it.
    """

    key: str
    base: str
    document: Document | None = field(default=None, compare=False, repr=False)
    shared: bool = False

    @property
    def root(self) -> str:
        """A text is its own root."""
        return self.key


Item = FileItem | TextItem
Source = str | TextItem


def named(sources: Iterable[object]) -> list[Source]:
    """Sources in the form that is kept: absolute paths, and texts with their keys.

    Raises:
        InputError: a source of an unknown kind.
    """
    return [str(absolute(each)) if isinstance(each, (str, Path)) else text_item(each) for each in sources]


def items(sources: Iterable[Source], besides: Path | None = None) -> list[Item]:
    """Everything to read, in the order named, folders sorted by name; each file once, each id once.

    Args:
        sources: absolute paths and texts.
        besides: a folder to pass over: the store itself, where it lies among the documents.

    Raises:
        UnreadableDocument: a path does not exist. InputError: two texts of one id.
    """
    found: dict[str, Item] = {}
    for source in sources:
        for item in _files(Path(source), besides) if isinstance(source, str) else (source,):
            found.setdefault(item.key, item)
    return _distinct(found.values())


def absolute(path: str | Path) -> Path:
    """The absolute path, without following links."""
    return Path(os.path.abspath(Path(path).expanduser()))


def text_item(source: object) -> TextItem:
    """The item of a `Document`, or of an object with `page_content` and `metadata`, as LangChain's are."""
    document = as_document(source)
    shared = not isinstance(source, Document) and getattr(source, "id", None) is None
    said = json.dumps([document.id, document.source, document.title, document.pages, dict(document.metadata)])
    return TextItem(f"memory:{digest(said)[:16]}{digest(document.text)[:16]}", document.id, document, shared)


def as_document(source: object) -> Document:
    """A `Document`, made from a LangChain one where need be.

    Raises:
        InputError: it is something else.
    """
    if isinstance(source, Document):
        return replace(source, metadata=_scalars(source.metadata))
    content, metadata = getattr(source, "page_content", None), getattr(source, "metadata", None)
    if not isinstance(content, str):
        raise InputError(f"a {type(source).__name__} is not a source: give a path, a Document or a LangChain document")
    kept = _scalars(metadata or {})
    named_so = str(getattr(source, "id", None) or kept.get("source") or "") or f"document-{digest(content)[:8]}"
    title, origin = str(kept.get("title") or ""), str(kept.get("source") or "")
    return Document(named_so, content, source=origin, title=title, metadata=kept)


def documents_of(texts: Iterable[object]) -> list[Document]:
    """Documents of plain strings (text-1, text-2, ...), of mappings from title to text, and of documents."""
    documents: list[Document] = []
    for text in texts:
        if isinstance(text, str):
            documents.append(Document(f"text-{len(documents) + 1}", text))
        elif isinstance(text, Mapping):
            documents.extend(Document(title, each, title=title) for title, each in text.items())
        else:
            documents.append(as_document(text))
    return documents


def _scalars(metadata: Mapping[str, Any]) -> dict[str, Scalar]:
    return {str(key): _scalar(value) for key, value in metadata.items()}


def _scalar(value: object) -> Scalar:
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    return json.dumps(value, default=str) if isinstance(value, (list, tuple, dict)) else str(value)


def _files(path: Path, besides: Path | None) -> Iterator[FileItem]:
    try:
        folder = path.is_dir()
    except OSError as error:  # a text given for a path is often too long for one
        why = "no file can have that name"
        raise UnreadableDocument(f"{str(path)[:80]!r}...", why, "give a path here, and a text to Corpus.of") from error
    if folder:
        yield from _listed(path, besides)
    elif path.is_file():
        yield _file(path, path.name, str(path), alone=True)
    elif path.exists():
        raise UnreadableDocument(str(path), "it is neither a file nor a folder", "give a file or a folder")
    else:
        remedy = "check the path, or give a text to Corpus.of"
        raise UnreadableDocument(str(path), "there is no such file or folder", remedy)


def _listed(folder: Path, besides: Path | None) -> Iterator[FileItem]:
    try:
        yield from _walk(folder, folder, _seen(folder, besides))
    except PermissionError as error:
        raise UnreadableDocument(str(folder), "the folder cannot be listed", "check its permissions") from error


def _walk(root: Path, folder: Path, seen: set[tuple[int, int]]) -> Iterator[FileItem]:
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        path = Path(entry.path)
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _below(root, path, seen)
        elif entry.is_file() or not path.exists():
            # A link to nothing is listed too, so that it is reported as a file that cannot be read.
            yield _file(path, path.relative_to(root).as_posix(), str(root), alone=False)


def _below(root: Path, folder: Path, seen: set[tuple[int, int]]) -> Iterator[FileItem]:
    """The files of a folder inside a folder; a link back to one that contains it is not followed again."""
    if (identity := _identity(folder)) in seen:
        return
    if os.access(folder, os.R_OK | os.X_OK):
        yield from _walk(root, folder, seen | {identity})
    else:
        yield FileItem(str(folder), readable(folder.relative_to(root).as_posix()), str(root), 0, 0, alone=False)


def _seen(path: Path, besides: Path | None) -> set[tuple[int, int]]:
    return {_identity(each) for each in (path, besides) if each is not None and each.exists()}


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _file(path: Path, base: str, root: str, *, alone: bool) -> FileItem:
    base = readable(base)
    try:
        found = path.stat()
    except OSError:  # gone meanwhile, or a link to nothing: reading it says so
        return FileItem(str(path), base, root, 0, 0, alone)
    return FileItem(str(path), base, root, found.st_size, found.st_mtime_ns, alone)


def _distinct(found: Iterable[Item]) -> list[Item]:
    """Give files of one relative name in several folders different ids, by more of their paths."""
    taken: set[str] = set()
    distinct: list[Item] = []
    for item in found:
        base = item.base if item.base not in taken else next(n for n in _others(item) if n not in taken)
        taken.add(base)
        distinct.append(item if base == item.base else replace(item, base=base))
    return distinct


def _others(item: Item) -> Iterator[str]:
    """Further names of an item whose own is taken.

    Pieces of one source share its name in LangChain and are told apart by number; ids given by hand must differ.
    """
    if isinstance(item, TextItem):
        if not item.shared:
            raise InputError(f"two documents have the id {item.base!r}: give each its own id")
        number = 2
        while True:
            yield f"{item.base}#{number}"
            number += 1
    parts = Path(readable(item.key)).parts
    for count in range(2, len(parts) + 1):
        yield "/".join(parts[-count:])
    yield readable(item.key)
