"""What the two sentence filters keep, and why; the contract they share with others is tested elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from ragctx import registry
from ragctx.compressors.filling import tokens
from ragctx.compressors.sentences_bm25 import BM25Sentences, likeness
from ragctx.compressors.sentences_dense import EmbeddingSentences
from ragctx.compressors.units import units
from ragctx.errors import ConfigError, RequestFailed
from ragctx.models import ModelFacts, Models
from ragctx.readers.scripted import Scripted, WordCounter
from ragctx.types import Context, Passage, Question, Span
from ragctx.work import Embed, Vectors, run

LEASE = "# Lease\n\nDogs are welcome. Rent is ten crowns a month. Late rent bears interest. The yard is paved."
NOTES = "Minutes of May. The tenant asked what the rent is. It was raised to ten crowns. Nobody objected."
FILTERS = {"bm25-sentences": BM25Sentences, "embedding-sentences": EmbeddingSentences}


def passage(name: str, text: str) -> Passage:
    return Passage(text, (Span(name, 0, len(text)),), name)


BOTH = Context((passage("lease.md", LEASE), passage("notes.md", NOTES)))


def shorten(compressor, question, context, budget, encoder=None):
    encoder = encoder or Scripted()
    models = Models({"reader": ModelFacts("reader", WordCounter()), "encoder": encoder.facts})
    work = compressor.compress(Question(question), context, budget, models)
    return run(work, lambda requests: encoder.serve(requests, lambda i, text: None))


@pytest.fixture(params=FILTERS)
def make(request):
    return FILTERS[request.param]


def test_both_are_registered():
    for name, made in FILTERS.items():
        assert isinstance(registry.make("compressors", name), made)
        assert made.name == name


def test_sentences_of_all_passages_compete_and_come_back_in_their_order(make):
    found = shorten(make(keep_title=False), "How is the rent raised to ten crowns?", BOTH, 14)
    assert [p.source for p in found.passages] == ["lease.md", "notes.md"]
    assert found.passages[0].text == "Rent is ten crowns a month."
    assert found.passages[1].text == "It was raised to ten crowns."


def test_headings_come_along_where_they_fit(make):
    bare = shorten(make(keep_title=False), "Are dogs welcome?", BOTH, 5)
    titled = shorten(make(), "Are dogs welcome?", BOTH, 6)
    assert bare.passages[0].text == "Dogs are welcome."
    assert titled.passages[0].text == "# Lease\n\nDogs are welcome."


def test_below_the_threshold_nothing_stays_though_there_is_room(make):
    found = shorten(make(threshold=0.5), "Are dogs welcome?", BOTH, 1000)
    assert [p.text for p in found.passages] == ["# Lease\n\nDogs are welcome."]
    assert {out.reason.partition(":")[0] for out in found.dropped} == {"pruned"}
    assert found.signals["all_pruned"] == 0
    none = shorten(make(threshold=0.9), "Zebras in Zanzibar?", BOTH, 1000)
    assert none.passages == ()
    assert none.signals["all_pruned"] == 1


def test_over_the_budget_says_so_with_the_likeness(make):
    found = shorten(make(), "Are dogs welcome?", BOTH, 6)
    assert all(out.reason.startswith("over the token budget: 0.") for out in found.dropped)
    assert found.signals["sentences_pruned"] == found.signals["sentences"] - 2


@pytest.mark.parametrize("budget", range(3, 60, 4))
def test_no_sentence_that_was_left_out_would_still_have_fitted(make, budget):
    found = shorten(make(), "What is the rent?", BOTH, budget)
    kept = {span for p in found.passages for span in p.spans}
    for one in BOTH.passages:
        inside = [(s.start, s.end) for s in kept if s.document == one.source]
        for unit in units(one.text):
            if unit.heading or any(start <= unit.start and unit.end <= end for start, end in inside):
                continue
            more = one.narrowed([*inside, (unit.start, unit.end)])
            rest = [p for p in found.passages if p.source != one.source]
            order = sorted([more, *rest], key=lambda p: p.source)
            assert tokens(order, WordCounter()) > budget, one.text[unit.start : unit.end]


def test_a_sentence_given_back_makes_room_for_a_shorter_one():
    text = "Rent is ten crowns a month and ten more. Rent rose. Pets."
    found = shorten(BM25Sentences(), "rent ten crowns", Context((passage("a", text),)), 6)
    assert found.passages[0].text == "Rent rose. Pets."


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_a_threshold_that_is_none(make, wrong):
    with pytest.raises(ConfigError, match="threshold"):
        make(threshold=wrong)


@pytest.mark.parametrize("options", [{"k1": -1.0}, {"b": 1.5}, {"b": float("nan")}])
def test_bm25_options_that_make_no_sense(options):
    with pytest.raises(ConfigError, match="k1="):
        BM25Sentences(**options)


def test_a_question_without_words_is_told_of():
    found = shorten(BM25Sentences(), "???", BOTH, 12)
    assert any("no words" in note for note in found.notes)
    assert tokens(found.passages, WordCounter()) <= 12


class Seams:
    """Counts words, and one more wherever a sentence of z's follows another."""

    def count(self, text):
        return len(text.split()) + text.count(". Zed")


def test_what_still_fits_is_found_behind_many_that_do_not():
    text = "Rent is due. Aaa. " + "".join(f"Zed{n} rent here. " for n in range(40)) + "Bob bob."
    models = Models({"reader": ModelFacts("reader", Seams())})
    found = run(BM25Sentences().compress(Question("rent due?"), Context((passage("a", text),)), 6, models))
    read = found.passages[0].text
    assert Seams().count(read) <= 6
    assert Seams().count(read) == 6


def test_rare_words_weigh_more_and_forms_of_a_word_meet():
    common, rare = likeness(frozenset({"a", "b"}), [["a"], ["b"], ["a"], ["a"]], 0.9, 0.4)[:2]
    assert 0 < common < rare < 1
    context = Context((passage("a", "It rains. Keys are required."),))
    found = shorten(BM25Sentences(), "What does the lease require?", context, 4)
    assert found.passages[0].text == "Keys are required."


def test_embeddings_are_asked_for_once_a_passage_and_without_the_question():
    encoder = Scripted()
    shorten(EmbeddingSentences(), "Are dogs welcome?", BOTH, 10, encoder)
    shorten(EmbeddingSentences(), "What is the rent?", BOTH, 10, encoder)
    (query, *first), (other, *second) = encoder.calls
    assert (query.query, other.query) == (True, True)
    assert first == second
    assert len(first) == 2
    assert not any(request.query for request in first)


def test_nobody_is_asked_where_everything_fits_or_nothing_may_stay():
    encoder = Scripted()
    assert shorten(EmbeddingSentences(), "rent?", BOTH, 1000, encoder).passages == BOTH.passages
    assert shorten(EmbeddingSentences(), "rent?", BOTH, 0, encoder).passages == ()
    assert encoder.calls == []
    assert shorten(EmbeddingSentences(threshold=0.1), "rent?", BOTH, 1000, encoder).passages
    assert len(encoder.calls) == 1


def test_vectors_that_are_no_numbers_are_an_error():
    models = Models({"reader": ModelFacts("reader", WordCounter()), "encoder": Scripted().facts})
    work = EmbeddingSentences().compress(Question("rent?"), BOTH, 12, models)

    def nothing(requests):
        assert all(isinstance(request, Embed) for request in requests)
        return [Vectors(np.full((len(request.texts), 4), np.nan, dtype=np.float32)) for request in requests]

    with pytest.raises(RequestFailed, match="no numbers"):
        run(work, nothing)


@pytest.mark.parametrize(
    "models", [Models({"reader": ModelFacts("r")}), Models({"encoder": ModelFacts("e"), "reader": ModelFacts("r")})]
)
def test_without_an_encoder_one_is_named(models):
    with pytest.raises(ConfigError, match="name one"):
        run(EmbeddingSentences().compress(Question("rent?"), BOTH, 9, models))


def test_what_it_says_beforehand():
    models = Models({"reader": ModelFacts("r"), "encoder": Scripted().facts})
    assert BM25Sentences().estimate(900, 3, 8, 100, models) == ()
    [line] = EmbeddingSentences().estimate(900, 3, 8, 100, models)
    assert (line.role, line.prompt.expected, line.calls.expected) == ("encoder", 908, 4)
    assert EmbeddingSentences().estimate(90, 3, 8, 100, models) == ()
