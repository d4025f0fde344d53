"""Reads the data sets of a data folder into examples.

Every set is a folder with `normalized.jsonl` (one row a line: question, answers, contexts or document_path, evidence).
Only sets whose licence is permissive or share-alike are trained on; some are only measured on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from ragctx.corpus.chunking import Chunking
from ragctx.corpus.chunks import cut
from training.reader.examples import Example, Passage, Span, article_key, found, overlapping, share

Row = dict[str, Any]
Reader = Callable[["Source", Row], Iterator[Example]]
LONGEST_ANSWER = 100
"""Characters; a longer stretch is evidence to keep, and no answer to learn from."""
CHUNKING = Chunking()


@dataclass(frozen=True, slots=True)
class Source:
    """One data set, where it lies, and how its rows are read.

    Attributes:
        trained: whether it is trained on; if not, all of it is test.
        titled: whether contexts bear the titles of their articles; if not, rows are divided by their group.
        spans: whether answers are stretches to copy; if not, they are sentences to keep.
    """

    name: str
    read: Reader
    trained: bool = True
    titled: bool = True
    spans: bool = True
    folder: Path = Path()

    def rows(self) -> Iterator[Row]:
        """Every row of the set."""
        with (self.folder / self.name / "normalized.jsonl").open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)

    def text(self, row: Row) -> str:
        """The document of a row that names one file."""
        return _document(self.folder / self.name / row["document_path"])

    def example(self, row: Row, passage: Passage, answers: tuple[Span, ...], evidence: tuple[Span, ...]) -> Example:
        """An example of this set; answers that are too long are evidence alone."""
        short = tuple(span for span in answers if span[1] - span[0] <= LONGEST_ANSWER) if self.spans else ()
        return Example(row["id"], self.name, row["question"].strip(), passage, short, evidence or answers)


@cache
def _document(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def _pieces(title: str, article: str, text: str) -> tuple[tuple[Passage, int, int], ...]:
    """A text's chunks with their offsets; a text of up to a chunk and a half is one passage."""
    whole = len(text.split()) <= CHUNKING.words * 1.5
    bounds = ((0, len(text)),) if whole else tuple(cut([text], CHUNKING))
    return tuple((Passage(article, title, text[start:end]), start, end) for start, end in bounds)


def _named(source: Source, row: Row, title: str) -> tuple[str, str]:
    """The title to show, and the article's key."""
    title = title.replace("_", " ") if source.titled else ""
    return title, article_key(title or str(row["group"]))


def _best(source: Source, row: Row, title: str, text: str, evidence: tuple[Span, ...]) -> Iterator[Example]:
    """The piece of a text that holds most of the evidence; pieces without any are negatives.

    Answers are looked for inside the evidence alone.
    """
    pieces = _pieces(*_named(source, row, title), text)
    held = [sum(last - first for first, last in overlapping(evidence, start, end)) for _, start, end in pieces]
    if not held or not max(held):
        return
    passage, start, end = pieces[held.index(max(held))]
    inside = overlapping(evidence, start, end)
    others = tuple(piece for (piece, _, _), share in zip(pieces, held, strict=True) if not share)
    said = [
        (first + begin, first + stop)
        for first, last in inside
        for begin, stop in found(row["answers"], passage.text[first:last])
    ]
    yield replace(source.example(row, passage, tuple(said), inside), negatives=others)


def contexts(source: Source, row: Row) -> Iterator[Example]:
    """Rows with a passage or more; those with evidence are the gold ones."""
    gold: dict[int, list[Span]] = {}
    for mark in row.get("evidence", ()):
        gold.setdefault(mark["context"], []).append((mark["start"], mark["end"]))
    if "evidence" not in row:
        gold = {0: list(found(row["answers"], row["contexts"][0]["text"]))}
    others = [
        piece
        for index, context in enumerate(row["contexts"])
        if index not in gold
        for piece, _, _ in _pieces(*_named(source, row, context["title"]), context["text"])
    ]
    for index, evidence in gold.items():
        context = row["contexts"][index]
        for example in _best(source, row, context["title"], context["text"], tuple(evidence)):
            yield replace(example, id=f"{example.id}-{index}", negatives=(*example.negatives, *others))


def document(source: Source, row: Row) -> Iterator[Example]:
    """Rows about one long document, with the character ranges that answer."""
    evidence = tuple((mark["start"], mark["end"]) for mark in row.get("evidence", ()))
    yield from _best(source, row, "", source.text(row), evidence)


def story(source: Source, row: Row) -> Iterator[Example]:
    """Rows whose evidence is a whole section: only those whose answer stands in it can be placed exactly."""
    text = source.text(row)
    places = [(mark["start"], mark["end"]) for mark in row["evidence"]]
    evidence = tuple(
        (start + first, start + last) for start, end in places for first, last in found(row["answers"], text[start:end])
    )
    if row.get("explicit") == "explicit" and len(evidence) == 1:
        yield from _best(source, row, "", text, evidence)


def relevance(source: Source, row: Row) -> Iterator[Example]:
    """Rows whose whole text belongs to the question, with nothing marked in it."""
    text = "\n".join(context["text"] for context in row["contexts"])
    passage, _, _ = _pieces("", str(row["group"]), text)[0]
    yield source.example(row, passage, (), ())


SOURCES = (
    Source("squadshifts_new_wiki", contexts),
    Source("fairytaleqa", story),
    Source("selqa", contexts, spans=False),
    Source("multihop_hotpot_2wiki_musique", contexts),
    Source("covidqa", document),
    Source("evidence_inference", document),
    Source("tatqa", contexts, titled=False),
    Source("wice", contexts, spans=False),
    Source("pubmedqa", relevance),
    # Both are made from Natural Questions: a whole source that training never sees.
    Source("nq_open_oracle", contexts, trained=False),
    Source("multispanqa", contexts, trained=False),
    # Its licence allows measuring only.
    Source("policyqa", contexts, trained=False),
)
TEST, DEV = 0.15, 0.22
"""Articles whose share is below the first are test, below the second dev."""


def read(folder: Path, sources: tuple[Source, ...] = SOURCES) -> list[Example]:
    """Every example of every set there is in the folder, divided by article.

    An article that is test anywhere is in no set's training or dev part. Multi-hop rows share articles with each other
    and with other sets, so theirs are divided by row, and whatever touches a test row's gold articles leaves training.

    Args:
        folder: of data sets, each a folder by its name.
        sources: those to look for.
    """
    found_here = [replace(source, folder=folder) for source in sources if (folder / source.name).is_dir()]
    examples = [
        _placed(each, source) for source in found_here for row in source.rows() for each in source.read(source, row)
    ]
    test = {example.passage.article for example in examples if example.part == "test"}
    dev = {example.passage.article for example in examples if example.part == "dev"} - test
    return [kept for example in examples if (kept := _apart(example, test, dev)) is not None]


def _placed(example: Example, source: Source) -> Example:
    by_row = source.name.startswith("multihop")
    place = share(example.id.rsplit("-", 1)[0] if by_row else example.passage.article)
    part = "test" if place < TEST or not source.trained else "dev" if place < DEV else "train"
    return replace(example, part=part)


def _apart(example: Example, test: set[str], dev: set[str]) -> Example | None:
    """The example without passages of other parts; None where its own article belongs to a part before its own."""
    foreign = {"train": test | dev, "dev": test, "test": set()}[example.part]
    if example.passage.article in foreign:
        return None
    return replace(example, negatives=tuple(p for p in example.negatives if p.article not in foreign))
