import json
import shutil

import pytest

from ragctx.encoders.extractive import open_ranker
from ragctx.encoders.extractive.files import CARD, MODEL, PACKAGED, TOKENIZER


@pytest.fixture(scope="session")
def model():
    """The packaged model on two threads; what it says is not tested here, only that it is said properly."""
    opened = open_ranker(threads=2)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def serve(model):
    """Replies of the packaged model."""

    def emit(index, text):
        raise AssertionError("a reading model streams nothing")

    return lambda *requests: model.serve(requests, emit)


@pytest.fixture
def folder(tmp_path):
    """A copy of the packaged model that may be spoilt."""
    for name in (CARD, MODEL, TOKENIZER):
        shutil.copy(PACKAGED / name, tmp_path / name)
    # Without the tokenizer's checksum, which would be the first thing to be found wrong with a spoilt one.
    card = json.loads((tmp_path / CARD).read_text(encoding="utf-8"))
    card.pop("tokenizer_sha256", None)
    (tmp_path / CARD).write_text(json.dumps(card), encoding="utf-8")
    return tmp_path
