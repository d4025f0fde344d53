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
    return tmp_path
