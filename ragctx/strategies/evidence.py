"""Whole sentences for citations, where a compressor kept parts of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ragctx.corpus import Corpus
from ragctx.types import Context, Passage, Span


def widened(kept: Context, source: Context, corpus: Corpus) -> Context:
    """The kept passages with every sentence whole of which something was kept, one for one.

    People want to read the sentence that an answer rests on, and half a sentence shares few words with an answer.

    Args:
        kept: what was read, in the prompt's order.
        source: what it was cut from: its spans say where sentences may begin and end.
        corpus: where the sentences are looked up.
    """
    sentences = _sentences(source.spans, {span.document for span in kept.spans}, corpus)
    return kept.with_passages(_whole(passage, sentences, corpus) for passage in kept.passages)


def _sentences(spans: Iterable[Span], documents: set[str], corpus: Corpus) -> dict[str, list[Span]]:
    found: dict[str, list[Span]] = {}
    for span in sorted(set(spans)):
        if span.document in documents:
            found.setdefault(span.document, []).extend(corpus.sentences(span))
    return {document: sorted(several) for document, several in found.items()}


def _whole(passage: Passage, sentences: Mapping[str, Sequence[Span]], corpus: Corpus) -> Passage:
    if passage.derived or not passage.spans:
        return passage
    document = passage.spans[0].document
    known = sentences.get(document, ())
    starts, ends = [one.start for one in known], [one.end for one in known]
    wanted: dict[Span, None] = {}
    for span in passage.spans:
        inside = known[bisect_right(ends, span.start) : bisect_left(starts, span.end)]
        wanted |= dict.fromkeys(inside or [span])
    whole = Passage.cut(corpus.document(document), _apart(wanted))
    return replace(passage, text=whole.text, spans=whole.spans)


def _apart(spans: Iterable[Span]) -> list[Span]:
    """Spans without what an earlier one holds already: pieces of a document may overlap."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start < merged[-1].end:
            merged[-1] = replace(merged[-1], end=max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged
