"""Citation marks are no answer."""

from __future__ import annotations

import pytest

from ragctx.corpus import Corpus
from ragctx.errors import RequestFailed
from ragctx.strategies import Full

LEASE = "The notice period is three months."


@pytest.mark.parametrize("said", ["[1]", " [1, 2].\n", "[1] [2]", "."])
def test_marks_alone_are_refused(said, scripted):
    with pytest.raises(RequestFailed, match="said nothing") as refused:
        scripted(lines=(said,)).answer(Full(), "What is the notice period?", Corpus.of(LEASE))
    assert refused.value.kind == "empty"


@pytest.mark.parametrize("said", ["3 [1]", "5.", "?[1]"])
def test_anything_else_is_an_answer(said, scripted):
    assert scripted(lines=(said,)).answer(Full(), "What is the notice period?", Corpus.of(LEASE)).text
