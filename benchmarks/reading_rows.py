"""What is asked: the questions over the example documents, and rows of data sets whose texts have a wanted length."""

from __future__ import annotations

import glob
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from ragctx import Questions
from ragctx.evaluation import Example, examples
from ragctx.evaluation.datasets import ROWS
from ragctx.types import Document, Question, Where

ROOT = Path(__file__).parents[1]
SETS = (
    "fairytaleqa", "qmsum", "leval", "multihop_hotpot_2wiki_musique", "tatqa", "lara", "docugami_kg_rag",
)  # fmt: skip
SHORT = {"multihop_hotpot_2wiki_musique": "multi-hop", "docugami_kg_rag": "filings"}
# Rows of a set that are looked at: beyond them the sets repeat their kinds.
_LOOKED_AT = 4000
# Characters a token, roughly: only texts near the wanted length are looked at closely.
_CHARACTERS = 4.4
# Answers this short are letters of a multiple choice, which no measure here can score.
_LETTERS = 4


@dataclass(frozen=True, slots=True)
class Rows:
    """Documents, and questions that each name those they may read."""

    documents: tuple[Document | Path, ...]
    questions: tuple[Question, ...]


def of_examples(count: int = 0) -> Rows:
    """The example questions, each over the documents that its answer stands in (or would stand in).

    Reading all eight documents for every question would cost what a hundred rows of the data sets do.

    Args:
        count: of each kind at most, those over the shortest documents; all where it is 0.
    """
    folder = ROOT / "examples"
    asked = [replace(q, where=q.where or _named(q)) for q in Questions.read(folder / "questions.jsonl")]
    if count:
        asked = [q for kind in dict.fromkeys(q.kind for q in asked) for q in _shortest(asked, kind, count)]
    return Rows((folder / "documents",), tuple(asked))


def _named(question: Question) -> Where:
    """A table's records are documents of their own, hence the star."""
    return Where(documents=tuple(f"{name}*" for name in str(question.metadata["document"]).split()))


def _shortest(asked: Sequence[Question], kind: str, count: int) -> list[Question]:
    documents = ROOT / "examples" / "documents"

    def size(question: Question) -> int:
        patterns = question.where.documents if question.where else ()
        return sum(file.stat().st_size for pattern in patterns for file in documents.glob(pattern))

    return sorted((q for q in asked if q.kind == kind), key=size)[:count]


def of_data(folder: Path, count: int, tokens: tuple[int, int], sets: Sequence[str] = SETS) -> Rows:
    """About `count` rows, as many of each set as there are, each over its own documents.

    A set without rows of the wanted length gives none, and the others more. Sets whose texts are short (tables with a
    paragraph or two) are read several texts together: the row's own, and those of the rows before it.

    Args:
        folder: of the sets.
        count: rows in all.
        tokens: the least and the most of a row's texts together.
        sets: names; those that are not there are passed over.
    """
    drawn = {name: list(_usable(folder / name, tokens)) for name in sets if (folder / name / ROWS).is_file()}
    chosen = [(name, row) for name, rows in _shares(drawn, count).items() for row in rows]
    documents: dict[str, Document] = {}
    questions = []
    for name, row in chosen:
        texts = [replace(document, id=f"{name}/{document.id}") for document in row.documents]
        documents |= {document.id: document for document in texts}
        questions.append(_asked(name, row, texts))
    return Rows(tuple(documents.values()), tuple(questions))


def _asked(name: str, row: Example, texts: Sequence[Document]) -> Question:
    """The row's question, over its own texts; its kind is the set's name, with the task where that tells more."""
    where = Where(documents=tuple(glob.escape(document.id) for document in texts))
    kind = SHORT.get(name, name)
    if name in {"qmsum", "fairytaleqa"}:
        kind = f"{kind} {row.question.kind.rpartition('_')[2]}"
    return replace(row.question, id=f"{name}/{row.question.id}", kind=kind, where=where)


def _usable(folder: Path, tokens: tuple[int, int]) -> Iterator[Example]:
    """Rows with gold whose texts have the wanted length."""
    least, most = (int(bound * _CHARACTERS) for bound in tokens)
    for row in _joined(islice(examples(folder), _LOOKED_AT), least):
        gold = row.question.answers
        scored = row.question.answerable is False or any(len(answer) > _LETTERS for answer in gold)
        if scored and least <= sum(len(document.text) for document in row.documents) <= most:
            yield row


def _joined(rows: Iterable[Example], least: int) -> Iterator[Example]:
    """Rows over short texts, each with the texts of the rows before it that it takes to reach the wanted length."""
    before: dict[str, Document] = {}
    for row in rows:
        own = {document.id: document for document in row.documents}
        short = bool(row.documents) and not row.documents[0].source
        size = sum(len(document.text) for document in row.documents)
        others = (d for d in reversed(before.values() if short else ()) if not _same(d, row.documents))
        while size < least and (document := next(others, None)) is not None:
            own, size = {document.id: document, **own}, size + len(document.text)
        yield replace(row, documents=tuple(own.values()))
        if short:
            before |= {document.id: document for document in row.documents}


def _same(document: Document, others: Sequence[Document]) -> bool:
    return any(document.text == other.text for other in others)


def _shares(drawn: dict[str, list[Example]], count: int) -> dict[str, list[Example]]:
    """Rows drawn in turns from each set, always the same ones; no more than two of one text before all had theirs."""
    queues = {name: _spread(rows) for name, rows in drawn.items()}
    chosen: dict[str, list[Example]] = {name: [] for name in drawn}
    while sum(map(len, chosen.values())) < count and any(queues.values()):
        for name, queue in queues.items():
            if queue and sum(map(len, chosen.values())) < count:
                chosen[name].append(queue.pop(0))
    return chosen


def _spread(rows: Sequence[Example]) -> list[Example]:
    """Shuffled; of every text two rows first, so that its index and its prefix are shared and texts still vary."""
    shuffled = random.Random(0).sample(list(rows), len(rows))
    seen: dict[str, int] = {}
    turns = []
    for row in shuffled:
        seen[row.group] = seen.get(row.group, 0) + 1
        turns.append((seen[row.group] + 1) // 2)
    return [row for _, row in sorted(zip(turns, shuffled, strict=True), key=lambda pair: pair[0])]
