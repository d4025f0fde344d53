"""Which of the items that a model listed are none: what code can tell without asking again.

Small models list what stands near as readily as what was asked for. Three things can be seen in the words alone: an
item that names nothing of what the question names, while others do; a sentence that denies what the question asks
about; a row of a table that the model passed over although it reads like the others. And the same thing found twice is
one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from ragctx.agents.places import Item, above, fields, placed
from ragctx.agents.verbatim import Source
from ragctx.corpus import Corpus
from ragctx.grounding.words import content
from ragctx.types import Span

# A name: a word with a capital, a figure or a code in it, but not at a sentence's beginning.
_NAME = re.compile(r"[^\W_]*[A-Z\d][^\W_]*(?:-[^\W_]+)*")
_DENIED = re.compile(
    r"\b(?:(?:could|did|do|does|was|were|is|are|has|have|had|would|can|will)\s+not|can\s?not|\w+n['\u2019]t|never|"
    r"no longer|failed to|refused to|unable to)\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[;,.\u3002]|\b(?:but|and|because|although|while)\b")
_TIMES = re.compile(r"\bhow (?:often|many times)\b|\bon how many (?:days|occasions)\b", re.IGNORECASE)
_DATED = re.compile(
    r"\b(?:jan(?:uary)?|feb(?:ruary)?|march|april|may|june|july|aug(?:ust)?|sept(?:ember)?|oct(?:ober)?|nov(?:ember)?|"
    r"dec(?:ember)?)\b.*\d|\d.*\b(?:january|february|march|april|may|june|july|august|september|october|november|"
    r"december)\b|\b\d{4}-\d\d-\d\d\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b",
    re.IGNORECASE,
)
# Characters of a document's beginning, where it says what it is about.
_OPENING, _STEM = 200, 4
# Characters of a corpus that is searched once more, and headings above headings that are looked at.
_SCANNED, _LEVELS = 4_000_000, 4


def names(question: str, item: Item, corpus: Corpus) -> frozenset[str]:
    """The names of the question that this item could be known by: not those of the document as a whole."""
    asked = {found.group().casefold() for found in _NAME.finditer(question) if found.start() > 0}
    if not asked:
        return frozenset()
    document = corpus.document(item.span.document)
    title = f"{document.id} {document.title}" + ("" if item.record else f" {document.text[0:_OPENING]}")
    return frozenset(asked - _words(title))


def named(items: Sequence[Item], question: str, corpus: Corpus) -> tuple[list[Item], list[Item]]:
    """Those items that say one of the question's names, and those that do not; all of them where none does."""
    telling = [bool(names(question, item, corpus) & _words(item.told)) for item in items]
    if not any(telling):
        return list(items), []
    pairs = list(zip(items, telling, strict=True))
    return [item for item, says in pairs if says], [item for item, says in pairs if not says]


def denied(item: Item, question: str) -> bool:
    """Whether the sentence says that just this did not happen.

    Example:
        >>> at = Span("log", 0, 40)
        >>> item = Item(at, at, "", "The boat could not land because of the swell.")
        >>> denied(item, "How many times did the boat land?"), denied(item, "When was there no landing, or not?")
        (True, False)
    """
    if item.record or _DENIED.search(question) or re.search(r"\bnot\b", question):
        return False
    asked = {word[:_STEM] for word in content(question)}
    clauses = [(clause, _DENIED.search(clause)) for clause in _CLAUSE.split(item.told)]
    return any(found and asked & {w[:_STEM] for w in content(clause[found.end() :])} for clause, found in clauses)


def alike(items: Sequence[Item], question: str, corpus: Corpus) -> list[Item]:
    """Rows of a table that were not listed and say the very thing for which a listed row is one of the items.

    That is: a field whose value the question names stands in them with the same value. Only where documents are rows.
    """
    if not any(item.record for item in items):
        return []
    asked = content(question)
    telling = {
        (name, value)
        for item in items
        for name, value in item.record.items()
        if _words(value) & names(question, item, corpus) and content(value) <= asked
    }
    there = {item.span.document for item in items}
    more = []
    for document in corpus.documents if telling else ():
        record = fields(document.text[0 : len(document.text)]) if document.id not in there else {}
        same = next(((name, value) for name, value in record.items() if (name, value) in telling), None)
        if same is not None:
            text = document.text[0 : len(document.text)]
            at = Source(text).find(f"{same[0]}: {same[1]}")
            if at is not None:
                more.append(placed(Span(document.id, at.start, at.end), corpus))
    return more


def said_again(items: Sequence[Item], question: str, corpus: Corpus) -> list[Item]:
    """Sentences that were not listed and say of a name of the question what a listed one says: the same word follows.

    A model that lists "the Marigold brought coal" and passes over "the Marigold brought flour" has not read a page less
    well, it has stopped early. Only names that do not stand for a whole document, and only in running text.
    """
    pairs = {
        (name, after.group(1))
        for item in items
        if not item.record
        for name in names(question, item, corpus)
        for after in re.finditer(rf"\b{re.escape(name)}\s+([a-z]{{3,}})\b", _lowered(item.told))
        if content(after.group(1)) and not _DENIED.match(after.group(1) + " not")
    }
    if not pairs or corpus.characters > _SCANNED:
        return []
    there = {item.unit for item in items}
    said = re.compile("|".join(rf"\b{re.escape(name)}\s+{word}\b" for name, word in sorted(pairs)), re.IGNORECASE)
    found = {
        item.unit: item
        for document in corpus.everything().passages
        for span in document.spans
        for match in said.finditer(corpus.text(span))
        for item in [placed(Span(span.document, span.start + match.start(), span.start + match.end()), corpus)]
        if item.unit not in there and not item.record and not denied(item, question)
    }
    return list(found.values())


def dated(items: Sequence[Item], question: str) -> tuple[list[Item], list[Item]]:
    """For "how many times": what stands under a date, and what does not, where most of it does."""
    if not _TIMES.search(question):
        return list(items), []
    under = [bool(_DATED.search(item.heading)) for item in items]
    if 2 * sum(under) <= len(items):
        return list(items), []
    pairs = list(zip(items, under, strict=True))
    return [item for item, day in pairs if day], [item for item, day in pairs if not day]


def risen(items: Sequence[Item], noun: str, corpus: Corpus) -> tuple[list[Item], list[Item]]:
    """Headings that name one of what is counted, in place of what was found under them; and what stands under none.

    Only where there are at least two such headings: "First meeting", "Second meeting". One in the plural is the heading
    of all of them.
    """
    single = noun[:-1] if noun.endswith("s") else noun
    if len(single) < _STEM:
        return list(items), []
    heads = [_head(item, single, corpus) for item in items]
    if len({head.span for head in heads if head is not None}) < 2:
        return list(items), []
    unique = {head.span: head for head in heads if head is not None}
    return list(unique.values()), [item for item, head in zip(items, heads, strict=True) if head is None]


def _head(item: Item, single: str, corpus: Corpus) -> Item | None:
    """The item itself where it is a heading that has the noun in the singular, else the nearest such heading above."""
    noun = re.compile(rf"\b{re.escape(single)}\b", re.IGNORECASE)
    document = corpus.document(item.span.document)
    if _is_heading(item) and noun.search(item.told):
        return replace(item, span=item.unit, quote=item.told, name="")
    heading, at = item.heading, item.heading_at
    for _ in range(_LEVELS):
        if at < 0:
            return None
        if noun.search(heading):
            start = document.text[at : at + 200].find(heading) + at
            return placed(Span(document.id, start, start + len(heading)), corpus)
        heading, at = above(document, at)
    return None


def _lowered(text: str) -> str:
    """Names in lower case and the words after them as they are: a capital after a name is the rest of the name."""
    return re.sub(r"\b([A-Z][\w-]*)(?=\s+[a-z])", lambda found: found.group().casefold(), text)


def once(items: Sequence[Item], question: str) -> tuple[list[Item], tuple[tuple[Item, Item], ...]]:
    """Every item once, in document order; and pairs of one thing for which the documents say different figures.

    The same place is the same item, and for "how many times" the same sentence or the same day's entry. What stands
    under a heading that is an item belongs to it. The same name at two places is one thing too, unless the question
    asks how many times something happened, or the name is the question's own word for all of them, or they are rows of
    a table that differ in their first fields.
    """
    events, asked = bool(_TIMES.search(question)), content(question)
    heads = {(item.span.document, item.unit.start) for item in items if _is_heading(item)}
    kept: list[Item] = []
    here: defaultdict[str, list[Item]] = defaultdict(list)
    known: dict[tuple[str, ...], Item] = {}
    disagree = []
    for item in items:
        if not _is_heading(item) and (item.span.document, item.heading_at) in heads:
            continue
        keys = _keys(item, events=events, asked=asked)
        same = next((known[key] for key in keys if key in known), None)
        same = same or next((one for one in here[item.span.document] if _one_place(one, item, events=events)), None)
        if same is None:
            kept.append(item)
            here[item.span.document].append(item)
            known |= dict.fromkeys(keys, item)
        elif item.value and same.value and item.value != same.value and not _one_place(same, item, events=events):
            disagree.append((same, item))
    return kept, tuple(disagree)


def _one_place(one: Item, other: Item, *, events: bool) -> bool:
    if one.record or events:
        day = events and one.heading_at == other.heading_at >= 0 and bool(_DATED.search(one.heading))
        return one.unit == other.unit or (day and one.span.document == other.span.document)
    return one.span.overlap(other.span) > 0


def _keys(item: Item, *, events: bool, asked: frozenset[str]) -> list[tuple[str, ...]]:
    """By what an item is known again at another place."""
    if item.record:
        return [("row", *(f"{name}: {value}" for name, value in list(item.record.items())[:2]))]
    words = Source(item.told).words
    keys = [("said", item.heading.casefold(), item.name.casefold(), *words)] if len(words) > 3 else []
    if item.name and not events and not content(item.name) <= asked:
        keys.append(("name", " ".join(item.name.casefold().split())))
    return keys


def _is_heading(item: Item) -> bool:
    return not item.record and not item.told.rstrip().endswith((".", "!", "?", ";", ",")) and "\n" not in item.told


def _words(text: str) -> set[str]:
    return {found.group().casefold() for found in re.finditer(r"[^\W_]+(?:-[^\W_]+)*", text)}
