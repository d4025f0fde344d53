"""Where in the documents an item stands: its quote, the sentence or record that holds it, the heading above it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ragctx.agents.items import Raw
from ragctx.agents.verbatim import Match, Source
from ragctx.corpus import Corpus
from ragctx.types import Document, Passage, Span

_FIELD = re.compile(r"^([\w][\w .()/%-]{0,40}): ?(.*)$")
# A record is a row of a table, one field a line; a document with more text than this is none.
_RECORD, _HEADING, _ABOVE = 3000, 90, 4000
_ENDS = (".", "!", "?", ";", ":", ",", "\u3002")


@dataclass(frozen=True, slots=True)
class Item:
    """An item whose words stand in the documents.

    Attributes:
        span: of its quote. unit: of the sentence, the line or the record that holds it.
        quote, told: the source's own words at both. name: what the model calls it, else the quote's words.
        value, group: as the model gave them. heading: the nearest heading above, and where it begins.
        record: the fields of a record; empty in running text. fields: those of a caller's own schema.
    """

    span: Span
    unit: Span
    quote: str
    told: str
    name: str = ""
    value: str = ""
    group: str = ""
    heading: str = ""
    heading_at: int = -1
    record: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, object] = field(default_factory=dict)


def fields(text: str) -> dict[str, str]:
    r"""The fields of a record; none where a text is not one.

    Example:
        >>> fields("part: RW-101\nwarehouse: Emmer"), fields("Rent: 900.\nIt is due on the first of the month.")
        ({'part': 'RW-101', 'warehouse': 'Emmer'}, {})
    """
    lines = [line for line in text.splitlines() if line.strip()] if len(text) <= _RECORD else []
    found = [_FIELD.match(line) for line in lines]
    if len(lines) < 2 or not all(found):
        return {}
    return {match.group(1): match.group(2).strip() for match in found if match}


@dataclass(slots=True)
class Places:
    """Looks items of one portion up, each identical quote at a place of its own.

    Args:
        passages: of the portion. first: the number of the first one in the prompt. corpus: what may be read.
    """

    passages: Sequence[Passage]
    first: int
    corpus: Corpus
    _sources: list[Source] = field(default_factory=list)
    _used: set[tuple[int, Match]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._sources = [Source(passage.text) for passage in self.passages]

    def item(self, raw: Raw) -> Item | None:
        """The item at its place; None where the documents hold neither its quote nor its name."""
        at = self._quoted(raw) or self._numbered(raw)
        if at is None:
            return None
        number, match = at
        self._used.add(at)
        [span, *_] = self.passages[number].narrowed([(match.start, match.end)]).spans
        return replace(placed(span, self.corpus), name=raw.name, value=raw.value, group=raw.group, fields=raw.fields)

    def _quoted(self, raw: Raw) -> tuple[int, Match] | None:
        for text in filter(None, (raw.quote, raw.name)):
            exact = [(i, match) for i in self._order(raw) for match in self._sources[i].everywhere(text)]
            fresh = [at for at in exact if at not in self._used]
            if exact:
                return (fresh or exact)[0]
            near = [(i, match) for i in self._order(raw) if (match := self._sources[i].find(text)) is not None]
            if near:
                return max(near, key=lambda at: at[1].ratio)
        return None

    def _order(self, raw: Raw) -> list[int]:
        """The passage that was named first, then those that hold the item's name, then the others."""
        named = raw.number - self.first if raw.number is not None else -1
        holds = [bool(raw.name) and bool(source.everywhere(raw.name)) for source in self._sources]
        return sorted(range(len(self.passages)), key=lambda i: (i != named, not holds[i], i))

    def _numbered(self, raw: Raw) -> tuple[int, Match] | None:
        """The whole of a short passage that was given by its number alone: a row, a note, one sentence."""
        number = raw.number - self.first if raw.number is not None and not raw.quote else -1
        if not 0 <= number < len(self.passages):
            return None
        passage = self.passages[number]
        single = bool(fields(passage.text)) or sum(len(self.corpus.sentences(span)) for span in passage.spans) == 1
        return (number, Match(0, len(passage.text))) if single and passage.text.strip() else None


def placed(span: Span, corpus: Corpus) -> Item:
    """The item at a span, without anything that a model said of it."""
    document = corpus.document(span.document)
    record = fields(document.text[0 : len(document.text)]) if len(document.text) <= _RECORD else {}
    unit = Span(span.document, 0, len(document.text)) if record else _sentence(span, document, corpus)
    heading, at = ("", -1) if record else above(document, unit.start)
    return Item(span, unit, corpus.text(span), corpus.text(unit), heading=heading, heading_at=at, record=record)


def above(document: Document, start: int) -> tuple[str, int]:
    r"""The nearest heading above a character, and where it begins; ("", -1) where there is none.

    Example:
        >>> above(Document("log", "Friday 2 March\nThe boat came. It brought coal."), 30)
        ('Friday 2 March', 0)
    """
    begin = max(0, start - _ABOVE)
    text = document.text[begin:start]
    lines = [(found.start(), found.group()) for found in re.finditer(r"[^\n]+", text)]
    for number in range(len(lines) - 1, -1, -1):
        at, line = lines[number]
        fresh = (at == 0 and begin == 0) or text[:at].endswith("\n\n") or line.startswith("#")
        last = number == len(lines) - 1 and not text[at:].endswith("\n")
        if fresh and not last and heads(line, text[at + len(line) :]):
            return line.strip("# \t"), begin + at
    return "", -1


def heads(line: str, after: str) -> bool:
    """Whether a line that begins a paragraph reads as the heading of what stands after it."""
    line = line.strip()
    if not line or len(line) > _HEADING or line.endswith(_ENDS):
        return False
    following = after.lstrip()[:1]
    return line.startswith("#") or line.isupper() or after.startswith("\n\n") or not following.islower()


def _sentence(span: Span, document: Document, corpus: Corpus) -> Span:
    """The sentences that hold a span, found in the paragraph around it."""
    text = document.text[max(0, span.start - _ABOVE) : min(len(document.text), span.end + _ABOVE)]
    shift = max(0, span.start - _ABOVE)
    first = text.rfind("\n\n", 0, span.start - shift)
    last = text.find("\n\n", span.end - shift)
    around = Span(span.document, shift + max(0, first), shift + (last if last >= 0 else len(text)))
    inside = [one for one in corpus.sentences(around) if one.overlap(span)] or [span]
    return Span(span.document, inside[0].start, inside[-1].end)
