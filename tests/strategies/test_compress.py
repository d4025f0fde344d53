"""Compressing to a budget: the bill foretold, headings given back, nothing asked twice, whole sentences cited."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import pytest

from ragctx.corpus import Corpus
from ragctx.errors import ConfigError, LimitError, RequestFailed
from ragctx.models import ModelFacts, Models
from ragctx.readers.scripted import Scripted as Beside
from ragctx.strategies import Compress
from ragctx.strategies.compress import NOTHING
from ragctx.strategies.evidence import widened
from ragctx.strategies.gathering import joined
from ragctx.strategies.remembering import Memory, remembering
from ragctx.types import Budget, Context, Line, Passage, Question, Range, Span
from ragctx.work import Completion, Generate, Message, Score, Scores, run

ASKED = Question("When does the gate open?")
SENTENCES = "Its garden has {n} trees, and mason {m} built its walls of grey stone in the year {y}."


def houses(count: int, first: int = 0) -> str:
    told = [
        f"House {n} stands at the corner. " + SENTENCES.format(n=n * 3, m=n % 17, y=1500 + n)
        for n in range(first, first + count)
    ]
    told[count // 2] = "The gate does open at nine. It was painted in June."
    return "\n\n".join(told)


@pytest.fixture
def corpus() -> Corpus:
    return Corpus.of({f"street {n}": houses(8, n * 8) for n in range(12)})


@pytest.fixture
def reader(scripted):
    return scripted(lines=["At nine [1]."], ranker=Beside(), scorer=Beside())


@pytest.mark.parametrize("compressor", ["provence", "longllmlingua"])
@pytest.mark.parametrize("share", [0.15, 0.25, 0.5])
def test_the_bill_is_foretold_within_five_percent(reader, corpus: Corpus, compressor: str, share: float) -> None:
    strategy = Compress(compressor, share=share)
    estimate = strategy.estimate(ASKED, corpus, reader.models)
    answer = reader.answer(strategy, ASKED, corpus)
    assert estimate.prompt.low <= reader.prompt_tokens <= estimate.prompt.high
    assert abs(estimate.prompt.expected - reader.prompt_tokens) <= 0.05 * reader.prompt_tokens
    beside = [line for line in estimate.lines if line.role in {"ranker", "scorer"}]
    spent = reader.ranked_tokens + reader.scored_tokens
    assert beside[0].prompt.low <= spent <= 2 * beside[0].prompt.high
    assert estimate.tokens.high < spent, "what a scorer reads is none of the reader's tokens"
    assert answer.text == "At nine."


def test_citations_are_whole_sentences_and_coverage_is_what_was_read(reader, corpus: Corpus) -> None:
    answer = reader.answer(Compress(tokens=300), ASKED, corpus)
    assert [corpus.text(citation.span) for citation in answer.citations] == [c.text for c in answer.citations]
    assert any("gate does open at nine" in citation.text for citation in answer.citations)
    read = sum(coverage.read for coverage in answer.coverage)
    assert 0 < read < 0.5 * corpus.characters
    dropped = sum(len(one.span) for one in answer.dropped)
    assert 0.97 * corpus.characters <= read + dropped <= corpus.characters


def test_what_fits_is_read_whole_and_nobody_else_is_asked(reader) -> None:
    corpus = Corpus.of("The gate does open at nine.", "Pets are fine.")
    estimate = Compress().estimate(ASKED, corpus, reader.models)
    reader.answer(Compress(), ASKED, corpus)
    assert not reader.scored
    assert [line.role for line in estimate.lines] == ["reader"]
    assert abs(estimate.prompt.expected - reader.prompt_tokens) <= 0.05 * reader.prompt_tokens


def test_a_wide_search_where_the_documents_are_long(reader, corpus: Corpus) -> None:
    wide = Compress("provence", source=900, tokens=250)
    estimate = wide.estimate(ASKED, corpus, reader.models)
    answer = reader.answer(wide, ASKED, corpus)
    handed = sum(reader.counter.count(text) for text in reader.ranked[0].texts)
    assert handed <= 900
    assert abs(estimate.prompt.expected - reader.prompt_tokens) <= 0.08 * reader.prompt_tokens
    assert answer.citations[0].text == "The gate does open at nine."
    everything = Compress("provence", retriever=None, source=900, tokens=250)
    reader.answer(everything, ASKED, corpus)
    assert len(reader.ranked[-1].texts) == len(corpus.chunks)


def test_window_and_budget_lower_the_room(scripted, corpus: Corpus) -> None:
    tight = scripted(lines=["At nine [1]."], scorer=Beside(), window=600)
    tight.answer(Compress("longllmlingua", tokens=5000), ASKED, corpus)
    assert 0.9 * (600 - 256) <= tight.prompt_tokens <= 600 - 256
    frugal = scripted(lines=["At nine [1]."], scorer=Beside(), budget=700)
    frugal.answer(Compress("longllmlingua"), replace(ASKED, budget=Budget(tokens=700)), corpus)
    assert 0.9 * (700 - 256) <= frugal.prompt_tokens <= 700 - 256
    with pytest.raises(LimitError, match=r"\d"):
        frugal.answer(Compress("longllmlingua"), replace(ASKED, budget=Budget(tokens=300)), corpus)


@pytest.mark.parametrize(("compressor", "role"), [("longllmlingua", "scorer"), (Compress().compressor, "ranker")])
def test_nobody_weighs_and_the_remedy_is_named(scripted, corpus: Corpus, compressor: str, role: str) -> None:
    alone, compress = scripted(), Compress(compressor)
    with pytest.raises(ConfigError, match=role):
        compress.estimate(ASKED, corpus, alone.models)
    with pytest.raises(ConfigError, match=role):
        alone.answer(compress, ASKED, corpus)
    assert not alone.requests


@dataclass
class Stub:
    """Keeps the first words of every passage, and asks a scorer and a reader as it is told."""

    name: ClassVar[str] = "stub"

    words: int = 4
    writes: bool = False
    calls: list[int] = field(default_factory=list)

    def compress(self, question, context, budget, models):
        self.calls.append(budget)
        if self.writes:
            yield [Generate((Message("user", "Which words?"),), purpose="guide")]
        yield [Score("", passage.text) for passage in context.passages]
        kept = [p.narrowed([(0, len(" ".join(p.text.split(" ")[: self.words])))]) for p in context.passages]
        return context.with_passages(kept)

    def estimate(self, context_tokens, passages, question_tokens, budget, models):
        return (Line("reader", Range.exactly(9), Range(1, 2, 40), Range.exactly(1)),) if self.writes else ()


def test_a_compressor_is_not_paid_twice(reader, corpus: Corpus) -> None:
    stub = Stub(words=6)
    reader.answer(Compress(stub, share=0.3), ASKED, corpus)
    assert len(stub.calls) > 1, "there was room left"
    assert len(reader.scored) == len(set(reader.scored)) == len(corpus.chunks)


def test_its_own_calls_to_the_reader_are_set_aside(scripted, corpus: Corpus) -> None:
    reader = scripted(lines=["The first.", "At nine [1]."], scorer=Beside(), budget=900)
    asked = replace(ASKED, budget=Budget(tokens=900))
    strategy = Compress(Stub(words=6, writes=True))
    estimate = strategy.estimate(asked, corpus, reader.models)
    assert [line.role for line in estimate.lines] == ["reader", "reader"]
    assert reader.answer(strategy, asked, corpus).text == "At nine."
    assert estimate.tokens.high <= 900


def test_headings_alone_over_the_room(reader, corpus: Corpus) -> None:
    answer = reader.answer(Compress(Stub(words=6), tokens=60), ASKED, corpus)
    assert sum(c.read > 0 for c in answer.coverage) < len(corpus.documents)
    assert any("over the token budget" in one.reason for one in answer.dropped)


def test_where_nothing_is_left_something_is_read_and_said(reader, corpus: Corpus) -> None:
    answer = reader.answer(Compress(Stub(words=0), tokens=200), ASKED, corpus)
    assert NOTHING in answer.notes
    assert any(coverage.read for coverage in answer.coverage)


class Restoring(Stub):
    def recover(self, answer, before, kept):
        assert len(before.passages) >= len(kept.passages)
        return answer.replace("nine", "nine in the morning")


def test_what_an_answer_copies_is_put_back(reader, corpus: Corpus) -> None:
    answer = reader.answer(Compress(Restoring(words=9)), ASKED, corpus)
    assert answer.text == "At nine in the morning."
    assert any("put back" in note for note in answer.notes)


@pytest.mark.parametrize(
    "options", [{"share": 0.0}, {"share": 1.5}, {"tokens": 0}, {"source": 0}, {"unit": "page"}], ids=str
)
def test_options_that_make_no_sense(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Compress(**options)  # type: ignore[arg-type]


def test_pieces_of_a_document_are_read_as_one(corpus: Corpus) -> None:
    pieces = [corpus.passage(corpus.chunks[i]) for i in range(len(corpus.chunks))]
    whole = joined(reversed(pieces), corpus)
    assert [passage.source for passage in whole] == [f"street {n}" for n in reversed(range(12))]
    for passage in whole:
        assert passage.text == str(corpus.document(passage.spans[0].document).text[:]).strip()
    written = Passage("A summary.", pieces[0].spans, "s", derived=True)
    assert written in joined([written, *pieces], corpus)


def test_evidence_is_the_sentences_that_parts_were_kept_of() -> None:
    corpus = Corpus.of("The gate opens at nine. It is grey. Visitors come.")
    kept = Context((Passage.cut(corpus.document("text-1"), [Span("text-1", 4, 8), Span("text-1", 36, 44)]),))
    whole = widened(kept, corpus.everything(), corpus)
    assert whole.passages[0].text == "The gate opens at nine. Visitors come."


def test_memory_asks_once_and_gives_up_in_time() -> None:
    def work(texts):
        replies = yield [Score("a", text) for text in texts]
        return len(replies)

    memory, asked = Memory(), []

    def answer(requests):
        asked.extend(requests)
        return [Scores((0.0,)) for _ in requests]

    assert run(remembering(work(["bb", "bb", "c"]), memory), answer) == 3
    assert len(asked) == 2
    assert memory.asked == 5
    assert run(remembering(work(["bb", "c"]), memory, 0), answer) == 2
    assert run(remembering(work(["bb", "dddd"]), memory, 4), answer) is None
    assert len(asked) == 2


def test_errors_reach_the_compressor() -> None:
    def work():
        try:
            yield [Score("a", "b")]
        except RequestFailed as error:
            return error.kind

    driven = remembering(work(), Memory())
    next(driven)
    with pytest.raises(StopIteration) as done:
        driven.throw(RequestFailed("crashed", "it fell over"))
    assert done.value.value == "crashed"


def test_what_a_reader_wrote_for_a_compressor_is_billed() -> None:
    memory = Memory()
    memory.note([Generate((Message("user", "x"),))], [Completion("y", 10, 4)])
    assert memory.billed == 14
    assert Models({"reader": ModelFacts("m")}).has("scorer") is False
