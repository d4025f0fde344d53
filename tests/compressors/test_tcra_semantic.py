"""Words that move a sentence's embedding least go first: what is asked, what stays, and where whole sentences go."""

from __future__ import annotations

import numpy as np
import pytest

from ragctx.compressors.tcra_semantic import SemanticCompressor
from ragctx.errors import ConfigError, RequestFailed
from ragctx.models import ModelFacts, Models
from ragctx.readers.scripted import WordCounter
from ragctx.types import Context, Passage, Question, Span
from ragctx.work import Embed, Vectors, run

COUNTER = WordCounter()
MODELS = Models({
    "reader": ModelFacts("reader", COUNTER),
    "encoder": ModelFacts("encoder", COUNTER, kinds=frozenset({"Embed"})),
})  # fmt: skip
TOPICS = {"rent": 0, "crowns": 0, "dogs": 1, "yard": 1, "12": 0}


class Encoder:
    """A text's direction is what it is about, and a little of every other word."""

    def __init__(self):
        self.asked = []

    def __call__(self, requests):
        self.asked.append(requests)
        assert all(isinstance(request, Embed) for request in requests)
        return [Vectors(np.stack([self.row(text) for text in request.texts])) for request in requests]

    def row(self, text):
        row = np.full(3, 0.1, np.float32)
        for word in text.lower().replace(".", " ").replace("?", " ").split():
            row[TOPICS.get(word, 2)] += 1.0 if word in TOPICS else 0.05
        return row / np.linalg.norm(row)


def passage(text, name="lease", **more):
    return Passage(text, (Span(name, 0, len(text)),), name, **more)


def squeeze(text, budget, question="What is the rent?", encoder=None, **options):
    encoder = encoder or Encoder()
    texts = [text] if isinstance(text, str) else text
    given = Context(tuple(passage(one, f"d{n}") for n, one in enumerate(texts)))
    return run(SemanticCompressor(**options).compress(Question(question), given, budget, MODELS), encoder), encoder


def test_words_that_mean_little_go_first():
    found, _ = squeeze("And so the rent and also dogs then", 6, dropped=0.5)
    assert "rent" in found.passages[0].text
    assert "dogs" in found.passages[0].text
    assert COUNTER.count(found.passages[0].text) == 6


def test_every_sentence_is_one_request_and_all_are_asked_at_once():
    _, encoder = squeeze("The rent is due. Dogs may stay. The rent is due.", 5)
    [requests] = encoder.asked
    assert requests[0] == Embed(("What is the rent?",), query=True)
    assert [len(request.texts) for request in requests[1:]] == [5, 4]  # an equal sentence is encoded once
    assert requests[1].texts[:3] == ("The rent is due.", " rent is due.", "The  is due.")


def test_the_question_has_no_part_in_what_is_encoded():
    first = squeeze("The rent is due. Dogs may stay.", 5)[1].asked[0][1:]
    second = squeeze("The rent is due. Dogs may stay.", 5, "Are dogs welcome?")[1].asked[0][1:]
    assert first == second


def test_no_more_than_a_share_of_a_sentence_goes_but_whole_sentences_do():
    text = "Rent is paid in crowns on the first. Dogs are welcome to stay in the yard."
    rent, _ = squeeze(text, 6, dropped=0.25)
    dogs, _ = squeeze(text, 6, "Are dogs in the yard?", dropped=0.25)
    assert {"Rent", "crowns"} <= set(rent.passages[0].text.split())
    assert "Dogs" not in rent.passages[0].text
    assert {"Dogs", "yard."} <= set(dogs.passages[0].text.split())
    assert "Rent" not in dogs.passages[0].text


def test_nothing_is_dropped_of_sentences_where_nothing_may():
    found, _ = squeeze("The rent is due. Dogs may stay.", 5, dropped=0.0)
    assert found.passages[0].text == "The rent is due."


def test_numbers_and_patterns_stay_in_what_stays():
    text = "Of all the rent 12 is due in crowns for dogs."
    assert "12" in squeeze(text, 8, numbers=True, dropped=0.6)[0].passages[0].text
    assert "Of all" in squeeze(text, 8, patterns=(r"Of all",), dropped=0.6)[0].passages[0].text


def test_no_half_of_a_number_in_a_script_without_blanks():
    text = "租金为一千二百五十元每月。"
    for budget in range(1, 13):
        found, _ = squeeze(text, budget, dropped=1.0)
        kept = "".join(p.text for p in found.passages).replace(" ", "")
        assert "一千二百五十" in kept or not set("千百十") & set(kept)


def test_spans_hold_exactly_what_is_kept():
    texts = ["The rent is ten crowns. Dogs are welcome. ", "租金是十元。狗可以留下。"]
    for budget in range(1, 14):
        found, _ = squeeze(texts, budget)
        assert COUNTER.count("\n\n".join(p.text for p in found.passages)) <= budget
        for p in found.passages:
            source = texts[int(p.spans[0].document[1:])]
            assert "".join(source[s.start : s.end] for s in p.spans).replace(" ", "") == p.text.replace(" ", "")
        places = [(s.document, at) for s in found.spans for at in range(s.start, s.end)]
        places += [(o.span.document, at) for o in found.dropped for at in range(o.span.start, o.span.end)]
        visible = [(f"d{n}", at) for n, text in enumerate(texts) for at, c in enumerate(text) if not c.isspace()]
        assert set(visible) <= set(places)
        assert len(places) == len(set(places))


def test_long_sentences_are_weighed_some_words_at_a_time():
    found, encoder = squeeze("word " * 500, 100)
    assert max(len(request.texts) for request in encoder.asked[0]) <= 49
    assert COUNTER.count(found.passages[0].text) == 100


def test_what_fits_asks_nobody_and_no_budget_keeps_nothing():
    found, encoder = squeeze("The rent is due.", 50)
    assert found.passages == (passage("The rent is due.", "d0"),)
    assert encoder.asked == []
    assert squeeze("The rent is due.", 0)[0].passages == ()


@pytest.mark.parametrize("spoilt", [lambda rows: rows * np.nan, lambda rows: rows[:1]])
def test_vectors_that_are_none_are_an_error(spoilt):
    class Spoilt(Encoder):
        def __call__(self, requests):
            return [Vectors(spoilt(reply.rows)) for reply in super().__call__(requests)]

    with pytest.raises(RequestFailed, match="the encoder sent"):
        squeeze("The rent is due. Dogs may stay.", 5, encoder=Spoilt())


def test_wrong_options_and_no_encoder():
    with pytest.raises(ConfigError, match="dropped"):
        SemanticCompressor(dropped=1.5)
    with pytest.raises(ConfigError, match="name one"):
        run(SemanticCompressor().compress(
            Question("rent?"), Context((passage("The rent is due."),)), 2, Models({"reader": ModelFacts("r", COUNTER)})
        ))  # fmt: skip
    assert SemanticCompressor().estimate(50, 1, 5, 100, MODELS) == ()
    [line] = SemanticCompressor().estimate(500, 1, 5, 100, MODELS)
    assert line.role == "encoder"
