"""What is weighed one by one: the sentences of a passage, its headings by themselves, and pieces of endless lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ragctx.corpus.sentences import bounds
from ragctx.models import Counter

# Characters. Nothing longer is one sentence; of lines that the sentence rules hold together (a table, a listing) fewer
# are weighed as one. A room that holds more of them at least twice leaves them together, as far as `MOST`.
LONGEST, LINES, MOST = 1_000, 400, 2_000
_PER_TOKEN = 4
# Tokens. In a room that holds fewer nothing is cut further: what is left of a sentence would say nothing.
_LEAST_ROOM = 16
# Where a sentence is cut that is too long for a room, most wanted first.
_SEAMS = ("; ", ": ", ", ", "；", "：", "，", "、", " ")
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+\S.*$", re.MULTILINE)
# A first line that stands alone, says little and ends no sentence.
_TITLE = re.compile(r"\A\s*(?P<title>[^\s\-*|>+#`{}\[\]<][^\r\n|]{0,79}?)[ \t]*(?=\r?\n\s*\S)")
# A line between two blank ones that says as little, with no number or colon: those may be what is asked for.
_ALONE = re.compile(
    r"\n[ \t]*\r?\n(?P<title>[^\W\d_][^\r\n|:\d]{0,59}?)[ \t]*(?=\r?\n[ \t]*\r?\n[ \t]*(?P<below>[^\W_][^\r\n]*))"
)
_FEW = 8  # words of such a line
_STOP = re.compile(r"[.!?。！？]")
# The number of a clause, which the sentence rules take for a sentence or for the end of the line before.
_NUMBER_AT_END = re.compile(
    r"(?:\A|^[ \t]*)(?P<number>[(\[]?(?:\d{1,3}(?:\.\d{1,3})*|[A-Za-z]|[ivxIVX]{1,5})[.)\]]+)\Z", re.MULTILINE
)
_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")
_ENDS = tuple(".!?;:,。！？；：，、…")
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True, order=True)
class Unit:
    """Characters [start, end) of a passage's text.

    Attributes:
        heading: it names what follows, up to the next heading.
        of: the number of the sentence (see `sentences`) it belongs to, whose weight is its own.
    """

    start: int
    end: int
    heading: bool = False
    of: int = 0


def sentences(text: str, room: int = 0, counter: Counter | None = None) -> list[tuple[int, int]]:
    r"""What a ranker is asked about: the sentences of a text, in order, none too long to be kept or left out as one.

    The number of a clause ("2.") belongs to its first sentence: alone it says nothing, and before another it misleads.

    Lines without an end are cut, and tables and listings, which the sentence rules take for one sentence, are weighed
    some lines at a time: in a small room no more than `LONGEST` and `LINES` characters, in a larger one about half
    of it. What a room could not hold at all is cut further, so that half a long sentence stays rather than none of it;
    in a room of a few tokens it is left whole, and is lost.

    Args:
        text: of a passage.
        room: tokens that may be kept of all passages.
        counter: of these tokens; without one no sentence is too long for its room.

    Example:
        >>> [end - start for start, end in sentences("| bolt | 10 |\n" * 60)]
        [391, 391, 55]
    """
    held = min(MOST, room * _PER_TOKEN // 2)
    found = [piece for start, end in _with_numbers(text) for piece in _pieces(text, start, end, held)]
    if counter is None or room < _LEAST_ROOM:
        return found
    return [part for start, end in found for part in _fitting(text, start, end, room, counter)]


def units(text: str, asked: Sequence[tuple[int, int]] | None = None) -> tuple[Unit, ...]:
    r"""What is kept or left out of a text, in order: its sentences, and its headings apart from them.

    A heading is a Markdown heading, or a short line that ends no sentence: the first one, or one that stands alone
    above a paragraph. The sentence rules often join it to
    the sentence below; cut apart, it can stay while that goes.

    Args:
        text: of a passage.
        asked: its `sentences`, where they are known.

    Example:
        >>> text = "Fees\n\nRent is ten. It is due in May."
        >>> [(text[unit.start : unit.end], unit.heading) for unit in units(text)]
        [('Fees', True), ('Rent is ten.', False), ('It is due in May.', False)]
    """
    found = sentences(text) if asked is None else asked
    headings = _headings(text)
    parts = {start: Unit(start, end, True, _holder(found, start)) for start, end in headings}
    for number, sentence in enumerate(found):
        for part in _without(*sentence, headings):
            parts |= {start: Unit(start, end, False, number) for start, end in _visible(text, *part)}
    return tuple(parts[start] for start in sorted(parts))


def _holder(found: Sequence[tuple[int, int]], place: int) -> int:
    """The number of the sentence that holds a character, or of the next one."""
    return next((number for number, (_, end) in enumerate(found) if place < end), len(found) - 1)


def headings_of(found: Sequence[Unit]) -> list[tuple[int, ...]]:
    """For every unit the headings it stands under: the passage's title, and the nearest heading above.

    Example:
        >>> headings_of([Unit(0, 4, True), Unit(5, 9), Unit(10, 14, True), Unit(15, 19)])
        [(), (0,), (0,), (0, 2)]
    """
    title = 0 if found and found[0].heading else None
    above: list[tuple[int, ...]] = []
    nearest: int | None = None
    for number, unit in enumerate(found):
        over = (title, None if unit.heading else nearest)
        above.append(tuple(sorted({place for place in over if place is not None and place != number})))
        nearest = number if unit.heading else nearest
    return above


def _with_numbers(text: str) -> Iterator[tuple[int, int]]:
    """The sentences of a text, the number of a clause together with the sentence after it."""
    number: tuple[int, int] | None = None
    for start, end in bounds(text):
        if number and _BLANK_LINE.search(text, number[1], start):
            yield number
        elif number:
            start = number[0]
        said = text[start:end]
        tail = _NUMBER_AT_END.search(said)
        before = said[: tail.start()].rstrip() if tail else said
        number = (start + tail.start("number"), end) if tail else None
        if before:
            yield start, start + len(before)
    if number:
        yield number


def _headings(text: str) -> list[tuple[int, int]]:
    marked = [(found.start(), found.start() + len(found.group().rstrip())) for found in _HEADING.finditer(text)]
    marked = sorted([*marked, *(found.span("title") for found in _ALONE.finditer(text) if _is_above(found))])
    first = _TITLE.match(text)
    if first is None or (marked and marked[0][0] < first.end()):
        return [place for place in marked if place[1] - place[0] <= LONGEST]
    line = first["title"]
    if line.endswith(_ENDS) or not _LETTER.search(line):
        return marked
    return [first.span("title"), *marked]


def _is_above(found: re.Match[str]) -> bool:
    """Whether a line that stands alone names the paragraph below it."""
    line, below = found["title"], found["below"]
    short = len(line.split()) <= _FEW and not line.endswith(_ENDS)
    return short and len(below) > len(line) and bool(_STOP.search(below))


def _without(start: int, end: int, headings: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What of a range is no heading."""
    for first, last in headings:
        if first < end and last > start:
            if start < first:
                yield start, first
            start = max(start, last)
    if start < end:
        yield start, end


def _pieces(text: str, start: int, end: int, held: int) -> Iterator[tuple[int, int]]:
    """A range without the blanks around it, cut where it is too long: at a line's end, at a blank, else anywhere."""
    while end - start > (most := max(held, LINES if "\n" in text[start:end] else LONGEST)):
        cuts = (text.rfind(blank, start + 1, start + most) for blank in "\n ")
        cut = next((place for place in cuts if place > 0), start + most)
        yield from _visible(text, start, cut)
        start = cut
    yield from _visible(text, start, end)


def _fitting(text: str, start: int, end: int, room: int, counter: Counter) -> Iterator[tuple[int, int]]:
    """A range, in like parts of about half of the room where the room does not hold it."""
    length = end - start
    if length < 2 or len(text[start:end].encode("utf-8", "surrogatepass")) <= room:  # no token is less than a byte
        yield start, end
        return
    tokens = counter.count(text[start:end])
    if tokens <= room:
        yield start, end
        return
    parts = 2 if 2 * tokens < 3 * room else -(-2 * tokens // room)
    divided = _lines if "\n" in text[start:end] else _clauses
    for first, last in divided(text, start, end, parts):
        for part in _visible(text, first, last):
            yield from _fitting(text, *part, room, counter)


def _lines(text: str, start: int, end: int, parts: int) -> Iterator[tuple[int, int]]:
    """A range of several lines in like parts of whole lines: half a row of a table says something else."""
    size, first, last = -(-(end - start) // parts), start, start
    for line in text[start:end].splitlines(keepends=True):
        if last > first and last + len(line) - first > size:
            yield first, last
            first = last
        last += len(line)
    yield first, last


def _clauses(text: str, start: int, end: int, parts: int) -> Iterator[tuple[int, int]]:
    """A line in like parts."""
    size = (end - start) // parts
    cuts = (_seam(text, start, start + number * (end - start) // parts, size) for number in range(1, parts))
    return pairwise((start, *cuts, end))


def _seam(text: str, start: int, wanted: int, size: int) -> int:
    """Where a part of about some size ends best: at a line, a clause or a word, an eighth of the size away at most."""
    least, most = max(start + 1, wanted - size // 8), wanted + size // 8
    places = (text.rfind(seam, least - 1, most + 1) + len(seam.rstrip(" ")) for seam in _SEAMS)
    return next((place for place in places if least <= place <= most), wanted)


def _visible(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[start:end]
    if inner := piece.strip():
        start += len(piece) - len(piece.lstrip())
        yield start, start + len(inner)
