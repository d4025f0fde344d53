"""Reading passages: to the token, in order, with everything else accounted for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragctx.corpus import Chunking, Corpus
from ragctx.errors import BudgetSpent, ConfigError, LimitError
from ragctx.models import ModelFacts, Models
from ragctx.strategies import Retrieve, ordered
from ragctx.types import Budget, Context, Passage, Prices, Question, Span
from ragctx.types.documents import characters_read
from ragctx.work import Embed, Vectors, run


def text(facts: int = 200) -> str:
    return "\n\n".join(
        f"House {n} was built in {1500 + n} by mason {n % 17}. Its roof is of type {n % 5}, its garden has {n} trees."
        for n in range(facts)
    )


@pytest.fixture
def corpus() -> Corpus:
    return Corpus.of({"houses": text()}, chunking=Chunking(words=60))


@dataclass(frozen=True, slots=True)
class Given:
    """A retriever that finds what it is told, best first."""

    name: ClassVar[str] = "given"
    spans: tuple[Span, ...]
    asks: bool = False

    def prepare(self, corpus, models):
        yield from ()

    def retrieve(self, question, corpus, limit, models):
        if self.asks:
            yield [Embed((question.text,), query=True)]
        passages = tuple(corpus.passage(span, score=1 / (i + 1)) for i, span in enumerate(self.spans))
        return Context(passages, notes=("given alone",), signals={"given": 1.0})


def rendered(reader) -> int:
    return reader.counter.render(reader.requests[-1].messages)


class Characters:
    """A token is a character, blanks too."""

    name = "characters"
    exact = True

    def count(self, text: str) -> int:
        return len(text)

    def render(self, messages) -> int:
        return sum(len(message.content) for message in messages)


def _reading(reader):
    return Retrieve()._reading(reader.models)


def bare(reader, corpus: Corpus, asked: Question) -> int:
    """Tokens of the prompt without any passage."""
    strategy = Retrieve(retriever=Given(()))
    filler = strategy._filler(asked, corpus, reader.models, strategy._reading(reader.models))
    return filler.tokens(())


@pytest.mark.parametrize("tokens", [60, 100, 137, 250, 500, 1000, 3000])
def test_the_room_is_filled_and_never_overfilled(scripted, corpus: Corpus, tokens: int) -> None:
    reader, asked = scripted(), Question("Which house has a roof of type 3 and was built by mason 4?")
    reader.answer(Retrieve(tokens=tokens, retriever="bm25"), asked, corpus)
    used = rendered(reader) - bare(reader, corpus, asked)
    assert used <= tokens
    assert used >= 0.8 * tokens


def test_what_was_found_is_read_or_dropped(scripted, corpus: Corpus) -> None:
    chunks = [corpus.chunks[i] for i in (3, 0, 9, 7, 12)]
    answer = scripted().answer(Retrieve(tokens=150, retriever=Given(tuple(chunks))), "Why?", corpus)
    read = answer.coverage[0].read
    dropped = characters_read(d.span for d in answer.dropped).get("houses", 0)
    assert read + dropped == sum(map(len, chunks))
    assert read
    assert dropped
    assert {d.reason for d in answer.dropped} == {"over the token budget"}
    assert "given alone" in answer.notes


def test_the_best_passage_is_narrowed_to_its_best_sentences(scripted) -> None:
    corpus = Corpus.of("Nothing at all is said here.\n" * 300 + "The gate opens at nine.")
    whole = Span("text-1", 0, corpus.characters)
    reader = scripted(lines=["The gate opens at nine [1]."])
    answer = reader.answer(Retrieve(tokens=80, retriever=Given((whole,))), "When does the gate open?", corpus)
    assert "The gate opens at nine." in reader.prompt
    assert answer.citations[0].text == "The gate opens at nine."
    assert sum(len(d.span) for d in answer.dropped) + answer.coverage[0].read >= corpus.characters - 2


def test_a_gap_that_was_left_out_is_not_read(scripted) -> None:
    corpus = Corpus.of("The gate opens at nine. SECRET SECRET SECRET. The gate closes at ten. " + "More words. " * 200)
    first, last = Span("text-1", 0, 23), Span("text-1", 46, corpus.characters)
    reader = scripted()

    class Joined(Given):
        def retrieve(self, question, corpus, limit, models):
            yield from ()
            return Context((corpus.passage(first, last),))

    reader.answer(Retrieve(tokens=60, retriever=Joined(())), "When does the gate open and close?", corpus)
    assert "gate" in reader.prompt.partition(" end\n")[0]
    assert "SECRET" not in reader.prompt


def test_no_room_is_refused_with_the_numbers(scripted, corpus: Corpus) -> None:
    with pytest.raises(LimitError, match=r"retrieve\(tokens=5\) allows"):
        scripted().answer(Retrieve(tokens=5), "house", corpus)
    with pytest.raises(BudgetSpent) as refused:
        scripted().answer(Retrieve(), Question("house", budget=Budget(tokens=330)), corpus)
    assert refused.value.left == 330


def test_a_room_that_nobody_asked_for_refuses_nothing(scripted) -> None:
    """256 tokens of a small window do not hold the only sentence there is: its beginning is read."""
    corpus = Corpus.of("gate " * 1_500)
    reader, asked = scripted(window=1_600, counter=Characters()), Question("When does the gate open?")
    planned = Retrieve(retriever="bm25").estimate(asked, corpus, reader.models).prompt
    answer = reader.answer(Retrieve(retriever="bm25"), asked, corpus)
    assert any("the beginning of one was read" in note for note in answer.notes)
    assert answer.dropped
    assert planned.low <= rendered(reader) <= planned.high
    with pytest.raises(LimitError, match=r"retrieve\(tokens=60\) allows 60: raise it"):
        reader.answer(Retrieve(retriever="bm25", tokens=60), asked, corpus)


LONG = "This sentence about the gate and its opening goes on and on, " * 30 + "and the gate opens at nine."


def test_where_the_best_sentence_is_too_long_the_next_is_read(scripted) -> None:
    corpus = Corpus.of(f"{LONG} The gate opens late. Nothing else matters.")
    reader = scripted()
    answer = reader.answer(Retrieve(tokens=40), "When does the gate open?", corpus)
    assert "The gate opens late." in reader.prompt
    assert "goes on" not in reader.prompt.partition(" end\n")[0]
    assert answer.dropped


def test_where_the_best_passages_have_no_sentence_that_fits_a_later_one_is_read(scripted) -> None:
    corpus = Corpus.of(*[LONG] * 6, f"The gate is grey. {LONG}")
    spans = tuple(Span(f"text-{n}", 0, len(corpus.document(f"text-{n}").text)) for n in range(1, 8))
    reader = scripted()
    reader.answer(Retrieve(tokens=40, retriever=Given(spans)), "When does the gate open?", corpus)
    assert "The gate is grey." in reader.prompt


@pytest.mark.parametrize("window", range(420, 3200, 139))
def test_a_small_window_has_room_for_a_paragraph(scripted, corpus: Corpus, window: int) -> None:
    """The shipped prompt takes 109 of these tokens, the answer 256."""
    reader, asked = scripted(window=window), Question("Which house has a roof of type 3?")
    strategy = Retrieve(retriever="bm25")
    reader.answer(strategy, asked, corpus)
    used = rendered(reader) - bare(reader, corpus, asked)
    left = window - 256 - bare(reader, corpus, asked)
    assert used >= 0.7 * min(256, left)
    assert used <= left


@pytest.mark.parametrize("tokens", range(5, 90, 7))
def test_a_refusal_does_not_contradict_itself(scripted, tokens: int) -> None:
    corpus = Corpus.of(f"{LONG} The gate of this old house in the north of the town opens late in the evening of May.")
    reader = scripted()
    try:
        reader.answer(Retrieve(tokens=tokens), "When does the gate open?", corpus)
    except LimitError as refused:
        needs, allows = (int(n) for n in re.search(r"takes (\d+) .* allows (\d+)", str(refused)).groups())
        assert allows == tokens < needs
        reader.answer(Retrieve(tokens=needs), "When does the gate open?", corpus)


@pytest.mark.parametrize(
    ("order", "expected"),
    [("score", "12345"), ("rising", "54321"), ("edges", "13542"), ("document", "51423")],
)
def test_order(scripted, order: str, expected: str) -> None:
    corpus = Corpus.of("Five is here.", "One is here.", "Four is here.", "Two is here.", "Three is here.")
    ranked = tuple(Span(f"text-{i + 1}", 0, len(corpus.document(f"text-{i + 1}").text)) for i in (1, 3, 4, 2, 0))
    reader = scripted()
    reader.answer(Retrieve(retriever=Given(ranked), order=order), "Which?", corpus)
    names = {"One": "1", "Two": "2", "Three": "3", "Four": "4", "Five": "5"}
    lines = reader.prompt.splitlines()
    assert "".join(names[line.split()[0]] for line in lines if line.endswith("is here.")) == expected
    assert [line.split("] ")[0].split("[")[1] for line in lines if "] text-" in line] == list("12345")


def test_neighbours_are_read_as_one_passage(scripted) -> None:
    corpus = Corpus.of("One is here.\n\nTwo is here. Three is here. Far is here. Five is here.", "Other is here.")
    one, two, three, _, five = corpus.sentences(Span("text-1", 0, len(corpus.document("text-1").text)))
    other = Span("text-2", 0, 14)
    reader = scripted()
    answer = reader.answer(Retrieve(retriever=Given((five, two, other, three, one)), order="score"), "Which?", corpus)
    heads = [line for line in reader.prompt.splitlines() if "] text-" in line]
    assert [head.split("] ")[1] for head in heads] == ["text-1", "text-1", "text-2"], "each stands where its best stood"
    assert reader.prompt.index("Five is here.") < reader.prompt.index("One is here.") < reader.prompt.index("Other")
    assert corpus.text(Span("text-1", one.start, three.end)) in reader.prompt, "as it stands in the document"
    assert reader.prompt.count("Two is here.") == 1
    assert "Far is here." not in reader.prompt
    assert not answer.dropped


def test_documents_are_never_joined(scripted) -> None:
    corpus = Corpus.of("Ends here.", "Begins here.")
    filler = Retrieve(retriever="bm25")._filler(Question("here?"), corpus, scripted().models, _reading(scripted()))
    found = Context((corpus.passage(Span("text-1", 0, 10), score=0.5), corpus.passage(Span("text-2", 0, 12), score=1)))
    assert [p.spans for p in filler._joined(found.passages)] == [(Span("text-1", 0, 10),), (Span("text-2", 0, 12),)]


def test_joining_reads_nothing_between_passages_that_lie_far_apart(scripted, corpus: Corpus, monkeypatch) -> None:
    filler = Retrieve()._filler(Question("house?"), corpus, scripted().models, _reading(scripted()))
    passages = [corpus.passage(corpus.chunks[i]) for i in (0, 1, 9)]
    read, text = [], Corpus.text
    monkeypatch.setattr(Corpus, "text", lambda self, span: read.append(len(span)) or text(self, span))
    assert len(filler._joined(passages)) == 2
    assert max(read) <= 2


def test_a_joined_passage_has_its_best_score(scripted, corpus: Corpus) -> None:
    filler = Retrieve()._filler(Question("house?"), corpus, scripted().models, _reading(scripted()))
    [joined] = filler._joined([corpus.passage(corpus.chunks[i], score=s) for i, s in ((4, 0.2), (3, 0.9))])
    assert joined.score == 0.9
    assert joined.text == corpus.text(joined.spans[0])
    assert joined.spans[0].start == corpus.chunks[3].start
    assert joined.spans[0].end == corpus.chunks[4].end


@pytest.mark.parametrize("gap", ["\n\n", "\n" * 4000])
@pytest.mark.parametrize("tokens", [60, 100, 300])
def test_joining_never_goes_over_the_room_and_costs_nothing_that_was_read(scripted, gap: str, tokens: int) -> None:
    corpus = Corpus.of(gap.join(f"House {n} has a garden of {n} trees and a roof of slate." for n in range(40)))
    sentences = corpus.sentences(Span("text-1", 0, corpus.characters))
    reader, asked = scripted(counter=Characters()), Question("Which house?")
    room = 4 * tokens
    reader.answer(Retrieve(tokens=room, retriever=Given(tuple(sentences))), asked, corpus)
    used = rendered(reader) - bare(reader, corpus, asked)
    assert 0.7 * room <= used <= room


def test_orders_keep_every_passage() -> None:
    passages = [Passage(str(i), (Span("a", 9 - i, 10 - i),)) for i in range(7)]
    for order in ("edges", "score", "rising", "document"):
        assert sorted(p.text for p in ordered(passages, order)) == sorted(p.text for p in passages)
    with pytest.raises(ConfigError, match="document"):
        ordered(passages, "random")


@pytest.mark.parametrize("options", [{"tokens": 0}, {"candidates": 0}, {"order": "best"}])
def test_options_that_make_no_sense(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Retrieve(**options)  # type: ignore[arg-type]


def test_nothing_found_reads_the_openings_and_says_so(scripted) -> None:
    corpus = Corpus.of(*(f"Opening {n}. " + "Filler words follow. " * 200 for n in range(3)))
    reader = scripted()
    answer = reader.answer(Retrieve(tokens=900, retriever=Given(())), "???", corpus)
    assert all(f"Opening {n}." in reader.prompt for n in range(3))
    assert any("openings were read" in note for note in answer.notes)


@pytest.mark.parametrize("tokens", [150, 500, 2000])
def test_the_estimate_of_a_search_that_needs_a_model(scripted, corpus: Corpus, tokens: int) -> None:
    """Chunks in an order nobody can know beforehand: the estimate stays within 15 %."""
    reader, asked = scripted(), Question("Which house?")
    order = np.random.default_rng(0).permutation(len(corpus.chunks))
    strategy = Retrieve(tokens=tokens, retriever=Given(tuple(corpus.chunks[int(i)] for i in order), asks=True))
    with_encoder = Models({**reader.models.roles, "encoder": ModelFacts("e")})
    estimate = strategy.estimate(asked, corpus, with_encoder)

    def reply(requests):
        if isinstance(requests[0], Embed):
            return [Vectors(np.zeros((1, 3), np.float32))]
        return reader(requests)

    run(strategy.read(asked, corpus, with_encoder), reply)
    assert not estimate.exact
    assert estimate.prompt.low <= rendered(reader) <= estimate.prompt.high
    assert abs(estimate.prompt.expected - rendered(reader)) <= 0.15 * rendered(reader)
    assert reader.requests[0].purpose == "answer"


SENTENCES = st.sampled_from(
    ["Rent is due. ", "It is. ", "The house of the mason has a roof of slate. ", "One two. " * 9]
)
PAPERS = st.lists(st.lists(SENTENCES, min_size=1, max_size=60).map("".join), min_size=1, max_size=12)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    papers=PAPERS, words=st.sampled_from([20, 60, 150]), tokens=st.sampled_from([80, 300, 900]), how=st.integers(0, 9)
)
def test_the_low_end_of_a_plan_holds_whatever_is_found(
    scripted, papers: list[str], words: int, tokens: int, how: int
) -> None:
    """Vectors at random, so any chunks may come first; then the shortest ones, which fill the room least."""
    corpus, reader = Corpus.of(*papers, chunking=Chunking(words=words)), scripted()
    models = Models({**reader.models.roles, "encoder": ModelFacts(f"random-{how}")})
    strategy, rng = Retrieve(tokens=tokens, retriever="dense"), np.random.default_rng(how)

    def reply(requests):
        if isinstance(requests[0], Embed):
            return [Vectors(rng.normal(size=(len(r.texts), 4)).astype(np.float32)) for r in requests]
        return reader(requests)

    asked = Question("Which house?")
    estimate = strategy.estimate(asked, corpus, models).prompt
    run(strategy.read(asked, corpus, models), reply)
    assert estimate.low <= rendered(reader) <= estimate.high
    shortest = tuple(sorted(corpus.chunks, key=len)[: strategy._candidates(corpus, models)])
    reader.answer(Retrieve(tokens=tokens, retriever=Given(shortest)), asked, corpus)
    assert estimate.low <= rendered(reader)


def test_the_low_end_of_a_plan_says_more_than_the_empty_prompt(scripted, corpus: Corpus) -> None:
    reader, asked = scripted(), Question("Which house?")
    models = Models({**reader.models.roles, "encoder": ModelFacts("e")})
    low = Retrieve(tokens=700).estimate(asked, corpus, models).prompt.low
    assert low - bare(reader, corpus, asked) > 0.4 * 700
    unknown = Retrieve(tokens=700, retriever=Given((), asks=True)).estimate(asked, corpus, models).prompt.low
    assert unknown == bare(reader, corpus, asked), "a retriever of one's own may find nothing"


def test_an_encoder_with_a_price_is_in_the_plan(scripted, corpus: Corpus) -> None:
    roles = scripted().models.roles
    strategy = Retrieve(retriever=Given((), asks=True))
    for prices, planned in ((None, {"reader"}), (Prices(1.0, 0.0), {"reader", "encoder"})):
        models = Models({**roles, "encoder": ModelFacts("e", prices=prices)})
        assert {line.role for line in strategy.estimate(Question("Why?"), corpus, models).lines} == planned


def test_a_plan_calls_no_model_and_is_quick(scripted, corpus: Corpus) -> None:
    import time

    models = scripted().models
    strategy = Retrieve(retriever="bm25")
    strategy.estimate(Question("Which house?"), corpus, models)
    started = time.process_time()
    for n in range(20):
        strategy.estimate(Question(f"Which house has {n} trees?"), corpus, models)
    assert (time.process_time() - started) / 20 < 0.1
