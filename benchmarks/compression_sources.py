"""What is compressed: questions of data sets, and the texts that they are asked about as passages."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ragctx import Corpus
from ragctx.compressors.sentences_bm25 import likeness
from ragctx.evaluation import Example, examples
from ragctx.evaluation.metrics import contains, tokens
from ragctx.models import Models
from ragctx.strategies.finding import without_models
from ragctx.strategies.gathering import Gathering
from ragctx.types import Context, Document, Passage, Question, Span

MULTIHOP, NQ, TATQA = "multihop_hotpot_2wiki_musique", "nq_open_oracle", "tatqa"
QUALITY = (MULTIHOP, "covidqa", "leval", TATQA, NQ)
PASSAGES = 20
"""Of a question of `nq_open_oracle`: the gold one, and those most like the question that do not answer it."""
ANSWERED = {"leval": {"financial_qa", "legal_contract_qa", "multidoc_qa", "natural_question", "scientific_qa"}}
"""Tasks of sets with several kinds, those that are answered in some words: neither letters nor summaries."""


@dataclass(frozen=True, slots=True)
class Source:
    """One question with its texts.

    Attributes:
        name: of its set. group: the document or article that it is about.
    """

    name: str
    question: Question
    context: Context
    group: str

    @property
    def key(self) -> str:
        """Set and question."""
        return f"{self.name}|{self.question.id}"

    def tokens(self, models: Models) -> int:
        """Of all passages, by the reader's counter, as budgets are counted."""
        return models.reader.counter.count("\n\n".join(passage.text for passage in self.context.passages))


def sets(data: Path) -> list[str]:
    """Every question set of a folder."""
    return sorted(found.parent.name for found in data.glob("*/normalized.jsonl"))


def sources(data: Path, name: str, count: int, most: int, models: Models) -> list[Source]:
    """At most `count` questions of a set: always the same ones, spread over its articles.

    Args:
        data: folder of the sets.
        name: of the set.
        count: questions.
        most: tokens of a source; of longer ones BM25 finds so much, as the strategy `compress` does.
        models: whose reader counts.
    """
    every = list(examples(data / name))
    if name == NQ:
        pool = [example.documents[0] for example in every]
        return [placed(example, pool, int(_share(example) * PASSAGES)) for example in _chosen(every, name, count)]
    return [_source(name, example, most, models) for example in _chosen(every, name, count)]


def positions(data: Path, count: int, places: Sequence[int]) -> dict[int, list[Source]]:
    """Questions of `nq_open_oracle` with the gold passage at each of some places, counted from 1."""
    every = list(examples(data / NQ))
    pool = [example.documents[0] for example in every]
    chosen = _chosen(every, NQ, count)
    return {place: [placed(example, pool, place - 1) for example in chosen] for place in places}


def placed(example: Example, pool: Sequence[Document], place: int) -> Source:
    """A question with the passages of others that are most like it, its own at a place among them."""
    asked, gold = example.question, example.documents[0]
    texts = [f"{document.title} {document.text}" for document in pool]
    values = likeness(frozenset(tokens(asked.text)), [tokens(text) for text in texts], 0.9, 0.4)
    ranked = sorted(range(len(pool)), key=lambda i: (-values[i], i))
    others = (pool[i] for i in ranked if pool[i].text != gold.text and not contains(texts[i], asked.answers))
    found: dict[object, Document] = {}
    for other in others:
        found.setdefault(other.text, other)
        if len(found) == PASSAGES - 1:
            break
    documents = list(found.values())
    documents.insert(place, gold)
    return Source(NQ, asked, Context(tuple(map(_passage, documents))), example.group)


def _source(name: str, example: Example, most: int, models: Models) -> Source:
    documents = [document for document in example.documents if str(document.text[:]).strip()]
    whole = Source(name, example.question, Context(tuple(map(_passage, documents))), example.group)
    if all(not document.source for document in documents) and whole.tokens(models) <= most:
        return whole
    with tempfile.TemporaryDirectory() as folder:
        corpus = Corpus.over(*documents, folder=Path(folder))
        found = without_models(Gathering("bm25", most, "chunk").source(example.question, corpus, corpus, models))
    assert found is not None
    return Source(name, example.question, Context(found.passages), example.group)


def _passage(document: Document) -> Passage:
    text = str(document.text[:])
    return Passage(text, (Span(document.id, 0, len(text)),), document.title or document.id)


def _chosen(every: Sequence[Example], name: str, count: int) -> list[Example]:
    """One question of each article in turn, in an order that is by chance and always the same."""
    held: dict[str, list[Example]] = {}
    for example in sorted(filter(lambda one: _usable(one, name), every), key=_share):
        held.setdefault(example.group, []).append(example)
    groups = list(held.values())
    return list(_in_turn(groups))[:count]


def _in_turn(groups: Sequence[Sequence[Example]]) -> Iterator[Example]:
    for turn in range(max(map(len, groups), default=0)):
        yield from (group[turn] for group in groups if turn < len(group))


def _usable(example: Example, name: str) -> bool:
    kinds = ANSWERED.get(name)
    answered = any(answer.strip() for answer in example.question.answers)
    return bool(example.documents) and answered and (kinds is None or example.question.kind in kinds)


def _share(example: Example) -> float:
    digest = hashlib.sha256(f"compression: {example.question.id}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
