"""The made-up reviews, and what clustered retrieval saves on them with a scripted reader that writes full summaries."""

import sys
from pathlib import Path

import numpy as np
import pytest

from ragctx.encoders import open_encoder
from ragctx.models import ModelFacts, Models
from ragctx.work import Completion, Generate

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from reviews import ITEMS, reviews, saving


class Letters:
    """Words counted by their lengths and first letters."""

    def encode(self, texts):
        rows = np.zeros((len(texts), 64), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().split():
                row[(ord(word[0]) * 7 + len(word)) % 64] += 1
        return rows


@pytest.fixture
def world(exact):
    counter, encoder = exact(), open_encoder(Letters())
    models = Models({"reader": ModelFacts("m", counter=counter, window=8192), "encoder": encoder.facts})

    def answer(requests):
        return [written(request) for request in requests]

    def written(request):
        if not isinstance(request, Generate):
            return encoder.serve([request], lambda i, text: None)[0]
        said = "word " * (request.sampling.max_tokens if not request.final else 3)
        return Completion(said, counter.render(request.messages), counter.count(said))

    return models, answer


def test_short_varied_items():
    made = reviews()
    assert len(set(made.values())) == ITEMS
    assert all(30 < len(text.split()) < 90 for text in made.values())


def test_less_than_the_papers_floor_is_read_even_with_the_longest_summaries(world):
    measured = saving(*world)
    assert measured.items == ITEMS
    assert measured.reduction >= 0.46
    assert measured.once > 0
    assert measured.pays_after == pytest.approx(measured.once / (measured.plain - measured.clustered))
    assert measured.amortised < measured.reduction
