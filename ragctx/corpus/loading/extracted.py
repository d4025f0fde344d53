"""What a loader hands over: text in pieces, and what the source says about itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ragctx.errors import UnreadableDocument
from ragctx.types.documents import Scalar


@dataclass(frozen=True, slots=True)
class Extracted:
    """One document as it was found in a source.

    Attributes:
        pieces: its text, in order, cut anywhere; read once.
        suffix: what sets it apart from other documents of the same file, e.g. `#3`.
        pages: character offset of each page; may still grow while `pieces` are read.
        metadata: what the source says about itself.
    """

    pieces: Iterable[str]
    suffix: str = ""
    title: str = ""
    pages: Sequence[int] = ()
    metadata: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(slots=True)
class Findings:
    """What a loader could not read but could pass over, and what a person should know."""

    problems: list[UnreadableDocument] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
