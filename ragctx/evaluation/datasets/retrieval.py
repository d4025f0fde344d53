"""Retrieval sets: BEIR's folders and TREC's triples. What is asked for is a document, so the gold is all of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ragctx.errors import InputError
from ragctx.evaluation.datasets.example import Example
from ragctx.evaluation.datasets.rows import Row, lines, table
from ragctx.types import Document, Question, Span

_TRIPLE = 3


def beir(folder: Path) -> Iterator[Example]:
    """A folder with `corpus.jsonl`, `queries.jsonl` and `qrels/test.tsv` (BEIR, arXiv 2104.08663).

    Every example shares the whole corpus, and its gold are the documents judged above 0.

    Raises:
        InputError: a file or a field cannot be used, or a judgement names what is not there.
    """
    documents = {document.id: document for document in map(_document, lines(folder / "corpus.jsonl"))}
    queries = {row.filled("_id"): row for row in lines(folder / "queries.jsonl")}
    every, judged = tuple(documents.values()), _judged(folder / "qrels" / "test.tsv")
    for name, relevant in judged.items():
        for place, document in relevant:
            if name not in queries or document not in documents:
                what = f"query {name!r}" if name not in queries else f"document {document!r}"
                raise InputError(f"{place}: there is no {what}; add it or remove the row")
        gold = tuple(Span(document, 0, len(documents[document].text)) for _, document in relevant)
        yield Example(Question(queries[name].filled("text"), id=name, kind="retrieval"), every, gold, name)


def triples(path: Path) -> Iterator[Example]:
    """Lines of query, relevant passage and another one, with tabs between, as TREC's and MS MARCO's are.

    Raises:
        InputError: the file or a line cannot be used.
    """
    for number, (asked, right, other, *_) in table(path, _TRIPLE):
        for name, cell in (("query", asked), ("positive", right), ("negative", other)):
            if not cell.strip():
                raise InputError(f"{path}, row {number}, field {name!r}: is empty; mend the row or remove it")
        pair = (Document(f"{number}#0", right), Document(f"{number}#1", other))
        question = Question(asked, id=f"{path.stem}-{number}", kind="retrieval")
        yield Example(question, pair, (Span(pair[0].id, 0, len(right)),), asked)


def _document(row: Row) -> Document:
    return Document(row.filled("_id"), row.text("text"), title=row.text("title", default=""))


def _judged(path: Path) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for number, (query, document, score, *_) in table(path, _TRIPLE):
        if number == 1 and not score.strip().lstrip("-").isdigit():
            continue  # the heading
        if not score.strip().lstrip("-").isdigit():
            raise InputError(f"{path}, row {number}, field 'score': must be a whole number, not {score!r}; mend it")
        if int(score) > 0:
            found.setdefault(query, []).append((f"{path}, row {number}", document))
    return found
