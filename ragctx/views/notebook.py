"""What a notebook shows beyond single objects: an answer in its documents, a text before and after compressing."""

from __future__ import annotations

from dataclasses import dataclass, field

from ragctx.corpus import Corpus
from ragctx.types import Answer, Context
from ragctx.views import contexts, readings


@dataclass(frozen=True, slots=True)
class Shown:
    """A view that a notebook draws where it is a cell's last value; `html` is its text."""

    html: str = field(repr=False)

    def _repr_html_(self) -> str:
        return self.html


def reading(answer: Answer, corpus: Corpus) -> Shown:
    """An answer in its documents: cited sentences set off where they stand, what was left unread struck through.

    Args:
        answer: over this corpus.
        corpus: what was asked, `pipeline.corpus`.

    Example:
        >>> from ragctx.types import Citation, Span
        >>> corpus = Corpus.of({"lease": "Pets are welcome. The notice is three months."})
        >>> cited = Citation(Span("lease", 18, 45), "The notice is three months.", "lease")
        >>> ">The notice is three months.</mark>" in reading(Answer("Three months.", citations=(cited,)), corpus).html
        True
    """
    return Shown(readings.html(answer, corpus))


def compared(source: Context, kept: Context) -> Shown:
    """A text before and after compressing: what was kept is set off, what was dropped struck through.

    Args:
        source: passages cut from documents.
        kept: what a compressor or retriever made of them.

    Example:
        >>> from ragctx.types import Passage, Span
        >>> source = Context((Passage("Pets are welcome. Rent is due.", (Span("lease", 0, 30),), "lease"),))
        >>> kept = source.with_passages([source.passages[0].narrowed([(18, 30)])])
        >>> "<s>Pets are welcome. </s><mark>Rent is due.</mark>" in compared(source, kept).html
        True
    """
    return Shown(contexts.compared(source, kept))
