"""Vectors of texts on their own."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragctx.encoders import open_encoder
from ragctx.work import Embed

TEXTS = st.lists(st.text(max_size=40) | st.just("word " * 300), max_size=4)


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXTS)
def test_rows_have_length_one_and_depend_on_their_text_alone(model, serve, texts):
    [together] = serve(Embed(tuple(texts)))
    alone = serve(*(Embed((text,)) for text in reversed(texts)))[::-1]
    assert together.rows.shape == (len(texts), model._weights.card.width)
    assert together.rows.dtype == np.float32
    assert np.linalg.norm(together.rows, axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-5)
    assert all(np.array_equal(row, one.rows[0]) for row, one in zip(together.rows, alone, strict=True))
    assert together.tokens == sum(one.tokens for one in alone)


def test_a_short_text_is_the_models_own_vector(model, serve):
    [vectors] = serve(Embed(("lace",)))
    ids = np.array([[101, *model._words.read(["lace"])["lace"].ids, 102]])
    given = {"ids": ids, "types": np.zeros_like(ids), "mask": np.ones_like(ids)}
    [[wanted]] = model._opened()._session.run(["embedding"], given)
    assert vectors.rows[0] == pytest.approx(wanted, abs=1e-6)


def test_the_end_of_a_long_text_counts(serve):
    [vectors] = serve(Embed(("lace " * 600, "lace " * 599 + "mill", "lace " * 300)))
    assert not np.array_equal(vectors.rows[0], vectors.rows[1])
    assert vectors.tokens > 1_500


def test_odd_texts(serve):
    [vectors] = serve(Embed(("", " \x00", "\ud800", "通知期", "[SEP]", "x" * 10_000)))
    assert np.isfinite(vectors.rows).all()
    assert np.array_equal(vectors.rows[0], vectors.rows[1])
    assert serve(Embed(()))[0].rows.shape[0] == 0


def test_questions_are_embedded_as_texts(serve):
    one, other = serve(Embed(("lace",), query=True), Embed(("lace",)))
    assert np.array_equal(one.rows, other.rows)


def test_it_opens_as_an_encoder():
    assert "Embed" in open_encoder("extractive").facts.kinds
