"""Keeps as many of the most wanted tokens as a budget holds, counted as they will be read, and never exceeds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from ragctx.compressors.tokens import Token
from ragctx.models import Counter
from ragctx.types import Context, Dropped, Passage

Ranges = list[tuple[int, int]]
Why = Callable[[int, bool], str]
BETWEEN = "\n\n"
BLANK = "blank"
# Tokens that are tried for what the last one that fitted left over, while it is more than this share of the budget.
_TRIED, _LEFT = 16, 0.01


def fit(passages: Sequence[Passage], wanted: Sequence[Token], counter: Counter, budget: int) -> list[Ranges]:
    """The characters of every passage that are kept: of the longest beginning of `wanted` that fits.

    What is counted is what will be read: the passages as narrowed, joined by blank lines. The count is taken some 15
    times whatever the number of tokens, by bisection; forced tokens come first, in their order. A word that did not
    fit is passed over where later ones still do.

    Args:
        passages: in reading order.
        wanted: most wanted first; their weights are not looked at. Tokens that are not here are left out.
        counter: of the model that will read.
        budget: most tokens.

    Returns:
        Of each passage the ranges of its text, in order, without blanks at their edges; the whole text where all its
        visible characters are kept.

    Example:
        >>> from ragctx.compressors.tokens import tokens_of
        >>> from ragctx.readers.scripted import Scripted
        >>> counter = Scripted().facts.counter
        >>> passage = Passage("The rent is ten crowns.", ())
        >>> [one] = tokens_of([passage], counter)
        >>> fit([passage], [one.tokens[n] for n in (3, 1, 4, 0, 2)], counter, 3)
        [[(4, 8), (12, 22)]]
    """
    order = sorted(wanted, key=lambda token: not token.forced)
    most, spent = _most(passages, order, counter, budget)
    kept, left = order[:most], budget - spent
    for token in order[most + 1 : most + 1 + _TRIED]:
        if left <= budget * _LEFT:
            break
        spent = _count(passages, [*kept, token], counter)
        if spent <= budget:
            kept, left = [*kept, token], budget - spent
    return _ranges(passages, kept)


def _most(passages: Sequence[Passage], order: Sequence[Token], counter: Counter, budget: int) -> tuple[int, int]:
    """How many tokens from the first on fit, and what they take."""
    everything = _count(passages, order, counter)
    if everything <= budget:
        return len(order), everything
    fits, over, spent = 0, len(order), 0
    guess = over * max(0, budget) // everything if everything else 0
    while over - fits > 1:
        middle = min(max(guess, fits + 1), over - 1)
        taken = _count(passages, order[:middle], counter)
        if taken <= budget:
            fits, spent = middle, taken
        else:
            over = middle
        guess = (fits + over) // 2
    return fits, spent


def _count(passages: Sequence[Passage], tokens: Sequence[Token], counter: Counter) -> int:
    """What some tokens take as they will be read; see `Passage.narrowed`, which reads the same."""
    ranges = _ranges(passages, tokens)
    texts = (" ".join(p.text[start:end] for start, end in kept) for p, kept in zip(passages, ranges, strict=True))
    return counter.count(BETWEEN.join(text for text in texts if text))


def _ranges(passages: Sequence[Passage], tokens: Sequence[Token]) -> list[Ranges]:
    """Of every passage the characters that some tokens hold, neighbours together."""
    places: list[Ranges] = [[] for _ in passages]
    for token in tokens:
        places[token.passage].append((token.start, token.end))
    return [_merged(passage.text, sorted(found)) for passage, found in zip(passages, places, strict=True)]


def _merged(text: str, places: Ranges) -> Ranges:
    runs: Ranges = []
    for start, end in places:
        if runs and (start <= runs[-1][1] or not text[runs[-1][1] : start].strip()):
            runs[-1] = runs[-1][0], max(runs[-1][1], end)
        else:
            runs.append((start, end))
    visible = [run for start, end in runs if (run := _trimmed(text, start, end))]
    whole = len(visible) == 1 and visible[0] == _trimmed(text, 0, len(text))
    return [(0, len(text))] if whole else visible


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    """A range without the blanks around it; None where there is nothing else in it."""
    piece = text[start:end]
    inner = piece.lstrip()
    start += len(piece) - len(inner)
    return (start, start + len(inner.rstrip())) if inner else None


def narrowed(
    context: Context,
    passages: Sequence[Passage],
    kept: Sequence[Ranges],
    why: Why,
    *,
    notes: Sequence[str] = (),
    signals: Mapping[str, float] | None = None,
) -> Context:
    """A context of what was kept, and everything else of the passages in `dropped`, with reasons.

    Args:
        context: what came in; what it knew before stays.
        passages: its passages, in reading order.
        kept: of each the ranges of its text, as `fit` gives them.
        why: from a passage's number, and whether nothing of it is kept, to the reason that is told.
        notes: added to those of the context.
        signals: likewise.

    Example:
        >>> from ragctx.types import Span
        >>> passage = Passage("The rent is ten.", (Span("lease", 0, 16),))
        >>> found = narrowed(Context((passage,)), [passage], [[(4, 8), (12, 15)]], lambda number, whole: "over")
        >>> found.passages[0].text, [(out.span.start, out.span.end) for out in found.dropped]
        ('rent ten', [(0, 3), (9, 11), (15, 16)])
    """
    pairs = list(zip(passages, kept, strict=True))
    read = (p if _is_whole(p, ranges) else p.narrowed(ranges) for p, ranges in pairs if ranges)
    out = [one for number, pair in enumerate(pairs) for one in _left_out(*pair, why(number, not pair[1]))]
    return Context(
        tuple(read), (*context.dropped, *out), (*context.notes, *notes), {**context.signals, **(signals or {})}
    )


def _is_whole(passage: Passage, ranges: Ranges) -> bool:
    return ranges == [(0, len(passage.text))]


def _left_out(passage: Passage, ranges: Ranges, reason: str) -> Iterator[Dropped]:
    """What of a passage is not read; of a derived one its spans, where nothing of it is."""
    if not passage.text.strip():
        yield from (Dropped(span, BLANK) for span in passage.spans)
    elif passage.derived:
        yield from (Dropped(span, reason) for span in passage.spans if not ranges)
    else:
        borders = [0, *(place for run in ranges for place in run), len(passage.text)]
        gaps = zip(borders[::2], borders[1::2], strict=True)
        rest = [gap for start, end in gaps if (gap := _trimmed(passage.text, start, end))]
        yield from (Dropped(span, reason) for span in passage.narrowed(rest).spans)
