"""Sorting by places, cutting at the gap, and asking the ranker once for both."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragctx.corpus import Chunking, Corpus
from ragctx.errors import ConfigError, RequestFailed
from ragctx.models import ModelFacts, Models
from ragctx.readers.scripted import Scripted as Ranker
from ragctx.strategies import Reranking, Retrieve
from ragctx.strategies.pruning import WHOLE, recalled
from ragctx.strategies.reranking import cut, reranked
from ragctx.types import Context, Document, Question, Span
from ragctx.types.documents import characters_read
from ragctx.work import Failure, Relevances, Rerank, run

ASKED = Question("When does the gate open?")
PROBABILITIES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@pytest.fixture
def corpus() -> Corpus:
    facts = [f"House {n} was built in {1500 + n} by mason {n % 17}. Its garden has {n} trees." for n in range(60)]
    facts[44] = "The gate does open at nine. It was painted grey in June. Visitors like its colour."
    return Corpus.of({"houses": "\n\n".join(facts)}, chunking=Chunking(words=40))


def found(corpus: Corpus, count: int) -> Context:
    return Context(tuple(corpus.passage(corpus.chunks[i]) for i in range(count)), notes=("said before",))


@given(PROBABILITIES)
def test_every_passage_has_one_place_and_the_cut_keeps_the_likeliest(values: list[float]) -> None:
    how = Reranking()
    scores = how.scores(values)
    assert len(scores) == len(values)
    best = max(range(len(values)), key=lambda i: (values[i], -i))
    if best == 0:
        assert max(scores) == scores[0], "first by both is first"
    assert how.floor <= how.bar(values) <= max(how.floor, *values)


@given(st.lists(st.integers(0, 100).map(lambda percent: percent / 100), min_size=1, max_size=30))
def test_weights_of_one_ranking_alone_give_that_ranking(values: list[float]) -> None:
    as_found = Reranking(model=0.0, retrieval=1.0).scores(values)
    assert as_found == sorted(as_found, reverse=True)
    by_model = Reranking(model=1.0, retrieval=0.0).scores(values)
    order = sorted(range(len(values)), key=lambda i: -by_model[i])
    assert [values[i] for i in order] == sorted(values, reverse=True)


def test_what_the_retriever_said_counts_and_not_its_place_alone() -> None:
    values, near, far = [0.2, 0.5, 0.4], [9.0, 8.9, 2.0], [9.0, 2.1, 2.0]
    clear, unclear = Reranking().scores(values, far), Reranking().scores(values, near)
    assert clear[0] - clear[1] > unclear[0] - unclear[1]
    assert Reranking().scores(values, [9.0, None, 2.0]) == Reranking().scores(values), "of one nothing is known"
    assert Reranking().scores([0.3], [1.0]) == [0.0]
    assert Reranking().scores([], []) == []


@pytest.mark.parametrize("least", [1, 3])
def test_what_is_far_behind_is_dropped_with_its_place(corpus: Corpus, least: int) -> None:
    values = [0.02, 0.9, 0.03, 0.85, 0.02, 0.01]
    given_, kept = found(corpus, 6), cut(found(corpus, 6), values, Reranking(least=least))
    assert [p.spans for p in kept.passages][:2] == [given_.passages[1].spans, given_.passages[3].spans]
    assert len(kept.passages) == max(2, least)
    assert {*kept.spans, *(d.span for d in kept.dropped)} == set(given_.spans)
    assert any("reranked 6 of 6: 0.01 likely" in d.reason for d in kept.dropped)
    assert kept.notes == ("said before",)
    assert kept.signals["relevance_max"] == 0.9
    scores = [p.score for p in kept.passages]
    assert scores == sorted(scores, reverse=True)


def test_where_nothing_is_likely_some_stay(corpus: Corpus) -> None:
    kept = cut(found(corpus, 6), [0.0] * 6, Reranking(least=2))
    assert [p.spans for p in kept.passages] == [p.spans for p in found(corpus, 2).passages]


@pytest.mark.parametrize("options", [{"k": -1}, {"model": 0, "retrieval": 0}, {"gap": 0.5}, {"blur": 0}, {"least": 0}])
def test_figures_that_make_no_sense(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Reranking(**options)  # type: ignore[arg-type]


def test_one_request_sorts_and_prunes(scripted, corpus: Corpus) -> None:
    reader = scripted(lines=["At nine [1]."], ranker=Ranker())
    answer = reader.answer(Retrieve(retriever="bm25"), ASKED, corpus)
    assert len(reader.ranked) == 1
    assert reader.ranked[0].units
    assert set(reader.ranked[0].titles) == {"houses"}
    read = reader.prompt.partition(" end\n")[0]
    assert "The gate does open at nine." in read
    assert "painted grey" not in read
    assert answer.citations[0].text == "The gate does open at nine."
    assert any("sentences were pruned as not needed" in note for note in answer.notes)
    assert any("pruned" in d.reason for d in answer.dropped)


@pytest.mark.parametrize("tokens", [60, 150, 300, 2000])
def test_a_table_is_not_asked_about_twice(scripted, tokens: int) -> None:
    rows = "\n".join(f"| gate {n} | opens at {n % 12} | painted in {1900 + n} |" for n in range(60))
    corpus = Corpus.of({"gates": rows, "notes": "The gate does open at nine. It is grey."})
    reader = scripted(lines=["At nine [1]."], ranker=Ranker())
    reader.answer(Retrieve(tokens=tokens, retriever="bm25"), ASKED, corpus)
    assert len(reader.ranked) == 1


def test_what_is_left_of_a_passage_names_the_page_it_stands_on(scripted) -> None:
    first = "House one was built by a mason.\n\n"
    corpus = Corpus.over(Document("gates.pdf", first + "The gate does open at nine.", pages=(0, len(first))))
    reader = scripted(lines=["At nine [1]."], ranker=Ranker())
    answer = reader.answer(Retrieve(retriever="bm25"), ASKED, corpus)
    assert "gates.pdf, page 2" in reader.prompt
    assert "mason" not in reader.prompt.partition(" end\n")[0]
    assert answer.citations[0].page == 2


def test_everything_found_is_read_or_dropped(scripted, corpus: Corpus) -> None:
    reader = scripted(ranker=Ranker())
    answer = reader.answer(Retrieve(retriever="bm25", candidates=9), Question("Which house has a garden?"), corpus)
    spans = [Span(d.span.document, d.span.start, d.span.end) for d in answer.dropped]
    handed = sum(map(len, reader.ranked[0].texts))
    dropped = characters_read(spans)["houses"]
    assert answer.coverage[0].read + dropped >= 0.98 * handed, "blanks between sentences aside"


def test_pruned_prompts_are_shorter_and_the_plan_says_so(scripted, corpus: Corpus) -> None:
    reader, plain = scripted(ranker=Ranker()), scripted()
    reader.answer(Retrieve(retriever="bm25"), ASKED, corpus)
    plain.answer(Retrieve(retriever="bm25"), ASKED, corpus)
    assert reader.prompt_tokens < plain.prompt_tokens
    with_, without = (Retrieve(retriever="bm25").estimate(ASKED, corpus, r.models) for r in (reader, plain))
    assert with_.prompt.expected < without.prompt.expected
    assert [line.role for line in with_.lines] == ["reader", "ranker"]
    assert [line.role for line in without.lines] == ["reader"]
    assert without.exact
    assert not with_.exact
    assert any("no model plays the role 'ranker'" in note for note in without.notes)


@pytest.mark.parametrize("options", [{"prune": None}, {"rerank": False}, {"rerank": False, "prune": None}])
def test_each_part_can_be_left_out(scripted, corpus: Corpus, options: dict[str, object]) -> None:
    reader = scripted(lines=["At nine [1]."], ranker=Ranker())
    strategy = Retrieve(retriever="bm25", **options)  # type: ignore[arg-type]
    estimate = strategy.estimate(ASKED, corpus, reader.models)
    reader.answer(strategy, ASKED, corpus)
    assert len(reader.ranked) == (0 if len(options) == 2 else 1)
    assert len(estimate.lines) == 1 + len(reader.ranked)
    assert ("painted grey" in reader.prompt) == ("prune" in options)
    assert estimate.prompt.low <= reader.prompt_tokens <= estimate.prompt.high


def test_figures_of_ones_own(scripted, corpus: Corpus) -> None:
    asked = Question("Which house was built by mason 4?")
    few, many = scripted(ranker=Ranker()), scripted(ranker=Ranker())
    few.answer(Retrieve(retriever="bm25", prune=None, rerank=Reranking(floor=1.0, least=1)), asked, corpus)
    many.answer(Retrieve(retriever="bm25", prune=None, rerank=Reranking(floor=0.0, gap=1e9)), asked, corpus)
    assert few.prompt.count("] houses") == 1
    assert many.prompt_tokens > 2 * few.prompt_tokens


def test_where_nothing_looks_needed_it_is_read_whole_and_said(scripted, corpus: Corpus) -> None:
    reader = scripted(ranker=Ranker())
    answer = reader.answer(Retrieve(retriever="bm25"), Question("\u901a\u77e5\u671f\u95f4"), corpus)
    assert WHOLE in answer.notes
    assert answer.coverage[0].read > 0
    assert not any(d.reason.startswith("pruned") for d in answer.dropped)


class Failing(Ranker):
    def serve(self, requests, emit):
        return [Failure("crashed", "it fell over") for _ in requests]


def test_a_ranker_that_fails_leaves_what_was_found(scripted, corpus: Corpus) -> None:
    reader, plain = scripted(ranker=Failing()), scripted()
    strategy = Retrieve(retriever="bm25", candidates=6)
    answer = reader.answer(strategy, ASKED, corpus)
    plain.answer(strategy, ASKED, corpus)
    assert reader.prompt == plain.prompt
    assert any("it fell over" in note for note in answer.notes)


def test_a_ranker_that_only_ranks_is_said_to(scripted, corpus: Corpus) -> None:
    class Sorting(Ranker):
        @property
        def facts(self):
            return ModelFacts("sorting", kinds=frozenset({"Rerank"}))

    reader = scripted(ranker=Sorting())
    answer = reader.answer(Retrieve(retriever="bm25"), ASKED, corpus)
    assert not reader.ranked[0].units
    assert "passages are not pruned: sorting cannot" in answer.notes


def test_nothing_found_asks_nobody(corpus: Corpus) -> None:
    assert run(reranked(ASKED, Context(), corpus, Reranking())).context == Context()


BEFORE = Rerank("q", ("a", "b"), units=(((0, 1),), ((0, 1),)))
REPLY = Relevances((0.1, 0.2), keeps=((0.3,), (0.4,)))


def test_what_was_asked_before_is_not_asked_again() -> None:
    def work():
        [one] = yield [Rerank("q", ("b",), purpose="prune", titles=("t",), units=(((0, 1),),))]
        [two] = yield [Rerank("q", ("b", "c"), units=(((0, 1),), ((0, 1),)))]
        return one, two

    sent: list[object] = []

    def answer(requests):
        sent.extend(requests)
        return [Relevances((0.8, 0.9), keeps=((0.5,), (0.6,)))]

    one, two = run(recalled(work(), BEFORE, REPLY), answer)
    assert (one.values, one.keeps) == ((0.2,), ((0.4,),))
    assert len(sent) == 1
    assert two.values == (0.8, 0.9)


@pytest.mark.parametrize(
    "other",
    [Rerank("p", ("a",)), Rerank("q", ("a",), role="other"), Rerank("q", ("a",), answers=1), Rerank("q", ("a",))],
)
def test_something_else_is_asked(other: Rerank) -> None:
    def work():
        [one] = yield [other]
        return one

    fresh = Relevances((0.7,))
    assert run(recalled(work(), BEFORE, REPLY), lambda requests: [fresh]) is fresh


def test_errors_reach_the_work_and_it_is_closed() -> None:
    events = []

    def work():
        try:
            yield [Rerank("p", ("a",))]
        except RequestFailed as error:
            events.append(error.kind)
            yield [Rerank("p", ("b",))]
        finally:
            events.append("closed")

    driven = recalled(work(), BEFORE, REPLY)
    next(driven)
    assert driven.throw(RequestFailed("crashed", "it fell over"))[0].texts == ("b",)
    driven.close()
    assert events == ["crashed", "closed"]


def test_a_search_that_needs_a_model_has_the_rankers_line_too(corpus: Corpus) -> None:
    roles = {"reader": ModelFacts("r"), "encoder": ModelFacts("e"), "ranker": Ranker().facts}
    estimate = Retrieve().estimate(ASKED, corpus, Models(roles))
    [ranking] = [line for line in estimate.lines if line.role == "ranker"]
    words = np.mean([Ranker().facts.counter.count(corpus.chunks.text(i)) for i in range(len(corpus.chunks))])
    texts = min(24, len(corpus.chunks)) * words
    assert ranking.prompt.low <= texts <= ranking.prompt.high
    assert texts <= ranking.prompt.expected <= 2.5 * texts, "a question with every passage"
