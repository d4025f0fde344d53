"""What chunks take in a prompt: on average, and at least and at most, whichever are found."""

from __future__ import annotations

import numpy as np

from ragctx.corpus import Corpus
from ragctx.models import Counter

# Tokens of the line above a passage, about; also the most blanks that may lie between passages read as one, so that
# joining never costs more than the line it saves.
HEADING = 16
_SAMPLE = 8
# Counts of a few chunks stand for all of them; this share of a bound made from them holds.
_SURE = 0.9


def chunk_tokens(corpus: Corpus, counter: Counter) -> float:
    """Tokens that a chunk and its heading take on average, from a few evenly spaced ones and all chunks' lengths."""
    lengths, sample = _lengths(corpus), _sample(corpus, counter)
    characters = sum(characters for characters, _ in sample)
    tokens = sum(tokens for _, tokens in sample)
    return HEADING + (tokens / characters * float(lengths.mean()) if characters else 1.0)


def least_filled(corpus: Corpus, counter: Counter, chunks: int, room: float) -> float:
    """Tokens of text that stand in a prompt at least, whichever chunks were found.

    Either all were taken, the shortest at worst, or one was left over that is longer than what was left of the room.
    Headings are not counted, since those of neighbours that are read as one go.

    Args:
        corpus: what is searched.
        counter: of the reader.
        chunks: how many are found.
        room: tokens there are for them.
    """
    lengths, rates = np.sort(_lengths(corpus)), _rates(corpus, counter)
    if not len(lengths) or not rates:
        return 0.0
    shortest = float(lengths[:chunks].sum()) * min(rates)
    longest = float(lengths[-1]) * max(rates) + 2 * HEADING
    mean = float(lengths.mean()) * min(rates)
    return _SURE * min(shortest, max(0.0, room - longest) * mean / (mean + 2 * HEADING))


def most_filled(corpus: Corpus, counter: Counter, chunks: int) -> float:
    """Tokens that so many chunks take with their headings, about, where the longest of all were found.

    Args:
        corpus: what is searched.
        counter: of the reader.
        chunks: how many are found.
    """
    lengths, rates = np.sort(_lengths(corpus)), _rates(corpus, counter)
    return float(lengths[-chunks:].sum()) * max(rates, default=1.0) + chunks * 2 * HEADING


def _lengths(corpus: Corpus) -> np.ndarray:
    """Characters of every chunk."""
    return np.asarray(corpus.chunks.end) - np.asarray(corpus.chunks.start)


def _sample(corpus: Corpus, counter: Counter) -> list[tuple[int, int]]:
    """Characters and tokens of a few evenly spaced chunks."""
    chosen = np.unique(np.linspace(0, len(corpus.chunks) - 1, _SAMPLE).astype(int)) if len(corpus.chunks) else ()
    texts = [corpus.chunks.text(int(i)) for i in chosen]
    return [(len(text), counter.count(text)) for text in texts if text]


def _rates(corpus: Corpus, counter: Counter) -> list[float]:
    """Tokens a character of the same chunks."""
    return [tokens / characters for characters, tokens in _sample(corpus, counter)]
