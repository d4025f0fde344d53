"""Every registered retriever obeys the same contract: odd input, limits, filters, spans, determinism."""

from __future__ import annotations

import itertools
import re
import zlib
from dataclasses import dataclass, field

import numpy as np
import pytest

from ragctx import registry
from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.encoders import open_encoder
from ragctx.models import ModelFacts, Models
from ragctx.types import Context, Document, Question, Where
from ragctx.work import Completion, Generate, Relevances, Rerank, run

NAMES = registry.names("retrievers")
LEASE = "The notice period is three months. Pets are allowed with consent. Rent is due in May. "
DOCUMENTS = (
    Document("lease.txt", LEASE * 60),
    Document("报告.txt", "合同的通知期间为三个月。双方同意每年五月付款。" * 80),
    Document("契約.txt", "契約の通知期間は三ヶ月です。家賃は五月に支払います。" * 40),
    Document("line.txt", "notice " * 30_000),
    Document("pages.pdf", "First page about rent.\n\nSecond page about pets.", pages=(0, 24)),
)


class Bag:
    """A toy embedding model: words and characters counted into 512 dimensions."""

    def encode(self, texts):
        rows = np.zeros((len(texts), 512), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for part in re.findall(r"[a-z]+|[\u3040-\u9fff]", text.lower()):
                row[zlib.crc32(part.encode()) % 512] += 1
        return rows


WORDS = re.compile(r"[a-z]+|[\u3040-\u9fff]|\d+|[^\w\s]")
WINDOW = 4096


class Count:
    """A word, a mark or a wide character is a token; a message costs three more."""

    name, exact = "words", True

    def count(self, text):
        return len(WORDS.findall(text.lower()))

    def render(self, messages):
        return 3 + sum(3 + self.count(message.content) for message in messages)


def shared(query, text):
    """Share of the query's words that the text has: a toy ranker's relevance."""
    asked = set(WORDS.findall(query.lower()))
    return len(asked & set(WORDS.findall(text.lower()))) / len(asked) if asked else 0.0


@dataclass
class Rig:
    """A retriever, models that it may need, and a count of what it asked them.

    The reader says the last words of what it is told, as many as it may say: what a prompt ends with is its question.
    The ranker gives each text, and each unit where units are asked for, the share of the question's words it holds.
    """

    retriever: Retriever
    asked: int = 0
    encoder: object = field(default_factory=lambda: open_encoder(Bag()))
    told: list[Generate] = field(default_factory=list)
    says: object = lambda request: " ".join(request.messages[-1].content.split()[-12:])

    @property
    def models(self):
        return Models(
            {
                "reader": ModelFacts("reader", counter=Count(), window=WINDOW, identity="reader"),
                "encoder": self.encoder.facts,
                "ranker": ModelFacts("ranker", counter=Count(), kinds=frozenset({"Rerank", "Prune"})),
            }
        )

    def answer(self, requests):
        self.asked += len(requests)
        return [self.reply(request) for request in requests]

    def reply(self, request):
        if isinstance(request, Generate):
            return self.written(request)
        if isinstance(request, Rerank):
            return self.weighed(request)
        [reply] = self.encoder.serve([request], lambda i, text: None)
        return reply

    def written(self, request):
        self.told.append(request)
        prompt = Count().render(request.messages)
        assert prompt + request.sampling.max_tokens <= WINDOW, f"{request.purpose}: a request over the window"
        said = " ".join(self.says(request).split()[: request.sampling.max_tokens])
        return Completion(said, prompt, Count().count(said))

    def weighed(self, request):
        values = tuple(shared(request.query, text) for text in request.texts)
        keeps = tuple(
            tuple(shared(request.query, text[start:end]) for start, end in ranges)
            for text, ranges in zip(request.texts, request.units, strict=False)
        )
        return Relevances(values, sum(map(Count().count, request.texts)), keeps=keeps)

    def __call__(self, question, corpus, limit) -> Context:
        asked = question if isinstance(question, Question) else Question(question)
        return run(self.retriever.retrieve(asked, corpus, limit, self.models), self.answer)

    def prepare(self, corpus):
        run(self.retriever.prepare(corpus, self.models), self.answer)


@pytest.fixture(params=NAMES)
def rig(request):
    return Rig(registry.make("retrievers", request.param))


@pytest.fixture
def corpus():
    return Corpus.of(*DOCUMENTS)


def chunks_of(context, corpus):
    """Numbers of the chunks that are read, each once; a text written from many chunks stands for all of them."""
    spans = context.spans
    return [
        i for i, chunk in enumerate(corpus.chunks) if any(span.overlap(chunk) for span in spans)
    ]  # fmt: skip


def is_sound(context, corpus, limit):
    cut = [passage for passage in context.passages if not passage.derived]
    assert len(chunks_of(context.with_passages(cut), corpus)) + len(context.passages) - len(cut) <= limit
    assert all(passage.spans and passage.text.strip() for passage in context.passages)
    assert all(corpus.text(span) for span in context.spans)
    assert all(passage.text == corpus.passage(*passage.spans).text for passage in cut)
    spans = sorted(context.spans)
    assert all(a.document != b.document or a.end <= b.start for a, b in itertools.pairwise(spans))
    assert all(passage.score is not None and np.isfinite(passage.score) for passage in context.passages)
    scores = [passage.score for passage in context.passages]
    assert scores == sorted(scores, reverse=True)
    assert all(np.isfinite(value) for value in context.signals.values())
    assert not {(d.span.document, d.span.start) for d in context.dropped} & {(s.document, s.start) for s in spans}


def test_registered():
    assert {"bm25", "dense", "hybrid"} <= set(NAMES)


@pytest.mark.parametrize("limit", [1, 3, 7, 10_000])
@pytest.mark.parametrize("text", ["When is notice due?", "通知期间是多久?", "家賃はいつ支払いますか", "???", "a", "😀"])
def test_any_question_and_any_limit(rig, corpus, text, limit):
    context = rig(text, corpus, limit)
    is_sound(context, corpus, limit)
    assert context.passages or context.notes


def test_finds_what_was_asked_for(rig, corpus):
    assert rig("Are pets allowed with consent?", corpus, 1).spans[0].document == "lease.txt"
    assert rig("合同的通知期间是多久?", corpus, 1).spans[0].document == "报告.txt"
    assert rig("家賃の支払いは?", corpus, 1).spans[0].document == "契約.txt"


def test_a_filter_that_admits_nothing(rig, corpus):
    context = rig(Question("When is notice due?", where=Where(documents=("no-such-*",))), corpus, 5)
    assert context.passages == ()
    assert context.notes
    assert rig("notice", corpus.select(Where(documents=("no-such-*",))), 5).passages == ()


@pytest.mark.parametrize(
    "where", [Where(documents=("lease.txt",)), Where(pages=(2, 2)), Where(documents=("*.txt",), metadata={"year": 1})]
)
def test_a_filter_holds(rig, corpus, where):
    context = rig(Question("notice about pets and rent", where=where), corpus, 50)
    admitted = corpus.mask(where)
    is_sound(context, corpus, 50)
    assert all(admitted[i] for i in chunks_of(context, corpus))
    assert bool(context.passages) == bool(admitted.any())
    assert all(dropped.span.document in {span.document for span in context.spans} for dropped in context.dropped)


def test_one_document(rig):
    corpus = Corpus.of("Rent is due.")
    context = rig("When is rent due?", corpus, 5)
    assert [passage.text for passage in context.passages] == ["Rent is due."]
    assert context.dropped == ()


def test_the_same_again(rig, corpus):
    first = rig("When is notice due?", corpus, 6)
    assert rig("When is notice due?", corpus, 6) == first
    fresh = Corpus.of(*DOCUMENTS, folder=corpus.folder.with_name("again"))
    assert rig("When is notice due?", fresh, 6) == first


def test_a_smaller_limit_takes_the_head(rig, corpus):
    few, many = (set(chunks_of(rig("notice of rent", corpus, limit), corpus)) for limit in (3, 9))
    assert few <= many


def test_preparing_twice_is_no_work(rig, corpus):
    rig.prepare(corpus)
    asked = rig.asked
    files = {path: path.stat().st_mtime_ns for path in corpus.folder.rglob("*") if path.is_file()}
    rig.prepare(corpus)
    assert rig.asked == asked
    assert {path: path.stat().st_mtime_ns for path in corpus.folder.rglob("*") if path.is_file()} == files


def test_added_and_removed_documents(rig, corpus):
    rig("notice", corpus, 1)
    corpus.add(Document("zoo.txt", "A zebra eats grass."))
    assert rig("What does a zebra eat?", corpus, 1).spans[0].document == "zoo.txt"
    corpus.remove("zoo.txt")
    assert "zoo.txt" not in {span.document for span in rig("What does a zebra eat?", corpus, 100).spans}
    corpus.remove("lease.txt")
    is_sound(rig("notice", corpus, 100), corpus, 100)


def test_a_question_as_long_as_a_page(rig, corpus):
    is_sound(rig("When is the notice due? " * 400, corpus, 5), corpus, 5)
