"""Divides all that a question may read into portions for one call each: whole sentences, verbatim, nothing left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from threading import Lock
from typing import TypeVar

from ragctx.corpus import Corpus
from ragctx.models import Counter
from ragctx.strategies.chunk_sizes import chunk_tokens
from ragctx.strategies.cutting import Block, Cut, Cutter
from ragctx.types import Passage, Span

Portion = tuple[Passage, ...]
K = TypeVar("K")
V = TypeVar("V")

# Over this many characters a plan does not cut portions, it reckons how many there would be.
COUNTED = 4_000_000
# How full portions are on average: what is left is less than a sentence.
_FULL = 0.97
# Divisions kept: questions on one corpus share them.
_KEPT = 16


def portions(
    view: Corpus, room: int, counter: Counter, block: Block, *, joined: bool = True, spans: Sequence[Span] | None = None
) -> tuple[Portion, ...]:
    """All of a view in document order, as portions of at most `room` tokens.

    A portion is filled sentence by sentence; short documents share one. A sentence that is longer than the room is cut
    between words, or between characters where there are no words. Passages are numbered from 1 through all portions:
    the first of a portion has one number more than the last of the portion before it.

    Args:
        view: what is read.
        room: most tokens of a portion's blocks, joined by line breaks.
        counter: of the model that reads them.
        block: how a prompt shows a passage under its number, e.g. `Task.block`.
        joined: what a portion holds of a document is one passage; otherwise every chunk is a passage of its own, so
            that numbers name places more closely, at the cost of a heading each.
        spans: only these, in this order, each a passage of its own.

    Raises:
        LimitError: the room is too small for a heading and a word.

    Example:
        >>> from ragctx.models import EstimatedCounter
        >>> corpus = Corpus.of("Rent is due on the first. It is paid in advance. Pets are welcome.", "Keys are two.")
        >>> cut = portions(corpus, 22, EstimatedCounter(), lambda number, passage: f"[{number}] {passage.text}")
        >>> [[passage.text for passage in portion] for portion in cut]
        [['Rent is due on the first. It is paid in advance.'], ['Pets are welcome.', 'Keys are two.']]
    """
    return tuple(
        tuple(map(view.passage, cut.spans)) for cut in cuts(view, room, counter, block, joined=joined, spans=spans)
    )


def cuts(
    view: Corpus, room: int, counter: Counter, block: Block, *, joined: bool = True, spans: Sequence[Span] | None = None
) -> tuple[Cut, ...]:
    """Like `portions`: the spans of each portion's passages, and its tokens; for plans, which need no text."""
    cutter = Cutter(view, room, counter, block, joined and spans is None, counts_of(view, counter))
    if spans is not None:
        return tuple(cutter.cut(spans))
    key = (view.manifest, repr(block(1, Passage("", (), "x"))), counter.name, room, joined)
    with _LOCK:  # questions on one corpus wait for the first of them to cut, instead of cutting all alike
        if key not in _CUTS:
            _forget(_CUTS, _KEPT)
            _CUTS[key] = tuple(cutter.cut(view.chunks))
        return _CUTS[key]


def portion_count(view: Corpus, room: int, counter: Counter, block: Block, *, joined: bool = True) -> int:
    """How many portions there are: counted, or for more than some megabytes reckoned from a few chunks' counts.

    Example:
        >>> from ragctx.models import EstimatedCounter
        >>> corpus = Corpus.of("Rent is due on the first.", "Keys are two.")
        >>> portion_count(corpus, 12, EstimatedCounter(), lambda number, passage: passage.text)
        2
    """
    if view.characters <= COUNTED:
        return len(cuts(view, room, counter, block, joined=joined))
    return max(1, math.ceil(chunk_tokens(view, counter) * len(view.chunks) / max(1.0, room * _FULL)))


def counts_of(view: Corpus, counter: Counter) -> dict[Span, int]:
    """Tokens of spans that were counted before, shared by all questions on a corpus."""
    key = (view.manifest, counter.name)
    if key not in _COUNTS:
        _forget(_COUNTS, _KEPT)
        _COUNTS[key] = {}
    return _COUNTS[key]


_CUTS: dict[tuple[str, str, str, int, bool], tuple[Cut, ...]] = {}
_COUNTS: dict[tuple[str, str], dict[Span, int]] = {}
_LOCK = Lock()


def _forget(kept: dict[K, V], most: int) -> None:
    while len(kept) >= most:
        kept.pop(next(iter(kept)), None)
