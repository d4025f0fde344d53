import numpy as np
import pytest

from ragctx.contracts import BatchBackend
from ragctx.encoders import available, open_encoder
from ragctx.errors import ConfigError, UnknownName
from ragctx.work import Embed, Failure, Generate, Message, Vectors


class Plain:
    def __init__(self):
        self.calls = []

    def encode(self, texts):
        self.calls.append(list(texts))
        return [[len(text), 1.0, 0.0] for text in texts]


class Asymmetric(Plain):
    def encode_query(self, texts):
        return np.array([[0.0, 0.0, 2.0] for _ in texts])


def emit(i, text):
    raise AssertionError("an encoder streams nothing")


def test_all_texts_of_a_list_are_encoded_together():
    model = Plain()
    encoder = open_encoder(model)
    replies = encoder.serve([Embed(("a", "bb")), Embed(()), Embed(("ccc",))], emit)
    assert model.calls == [["a", "bb", "ccc"]]
    assert [len(reply.rows) for reply in replies] == [2, 0, 1]
    assert all(reply.rows.dtype == np.float32 for reply in replies)
    assert np.linalg.norm(replies[0].rows, axis=1) == pytest.approx([1, 1])
    assert replies[2].rows[0] == pytest.approx(np.array([3, 1, 0]) / np.sqrt(10))


def test_questions_use_the_models_own_form():
    one, other = open_encoder(Asymmetric()).serve([Embed(("a",), query=True), Embed(("a",))], emit)
    assert one.rows.tolist() == [[0, 0, 1]]
    assert other.rows[0][2] == 0


def test_a_row_of_zeros_stays_zero():
    class Zeros:
        def encode(self, texts):
            return np.zeros((len(texts), 4))

    [reply] = open_encoder(Zeros()).serve([Embed(("a",))], emit)
    assert reply.rows.tolist() == [[0, 0, 0, 0]]


def test_other_requests_fail_in_their_slot():
    refused, served = open_encoder(Plain()).serve([Generate((Message("user", "hi"),)), Embed(("a",))], emit)
    assert isinstance(refused, Failure)
    assert refused.kind == "bad_request"
    assert isinstance(served, Vectors)


def test_a_model_that_returns_too_few_rows_is_told():
    class Short:
        def encode(self, texts):
            return np.ones((1, 3))

    with pytest.raises(ValueError, match="one row for each"):
        open_encoder(Short()).serve([Embed(("a", "b"))], emit)


def test_speed_is_measured_by_serving():
    encoder = open_encoder(Plain())
    assert encoder.facts.speed is None
    [reply] = encoder.serve([Embed(("some words to embed",))], emit)
    assert reply.tokens > 0
    assert encoder.facts.speed.prompt > 0


def test_it_is_a_batch_backend_and_a_backend_passes_through():
    encoder = open_encoder(Plain())
    assert isinstance(encoder, BatchBackend)
    assert open_encoder(encoder) is encoder
    assert encoder.facts.kinds == {"Embed"}
    assert "Plain" in encoder.facts.identity


def test_what_cannot_embed_is_refused():
    with pytest.raises(ConfigError, match="cannot embed"):
        open_encoder(object())
    with pytest.raises(UnknownName, match="sentence-transformers"):
        open_encoder("sentence-transformer:x")


def test_available_knows_plugins_only():
    assert not available("nobody:model")
    assert not available("")
