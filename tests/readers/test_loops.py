"""A model that says the same thing over and over is stopped; kept beginnings serve prompts that stand alone."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragctx.readers.loops import LEAST, period, surplus
from ragctx.readers.text_stream import TextStream
from ragctx.readers.writing import Writing
from ragctx.work import Sampling


@given(st.lists(st.integers(0, 9), max_size=40), st.lists(st.integers(0, 9), min_size=1, max_size=20))
def test_what_is_left_of_a_loop_ends_in_one_copy(before: list[int], piece: list[int]) -> None:
    tokens = before + piece * (LEAST + 3)
    found, extra = period(tokens), surplus(tokens)
    assert 0 < found <= len(piece)
    assert 0 < extra < len(tokens)
    kept = tokens[: len(tokens) - extra]
    assert all(tokens[i] == tokens[i - found] for i in range(len(kept), len(tokens)))


def test_text_without_loops_is_left_alone() -> None:
    chooser = random.Random(3)
    assert not any(period([chooser.randrange(50) for _ in range(n)]) for n in range(300))


def writing(sampling: Sampling, *, loops: bool) -> Writing:
    """A request on its way, whose tokens are characters."""
    stream = TextStream(lambda ids: "".join(map(chr, ids)))
    return Writing(np.zeros(1, np.int32), sampling, stream, lambda text: None, frozenset(), loops)


def write(text: str, sampling: Sampling, *, loops: bool = False) -> Writing:
    """Push characters until the writing ends."""
    on = writing(sampling, loops=loops)
    for character in text:
        if not on.take(ord(character), 0.0):
            break
    return on


def test_a_loop_ends_the_writing_and_keeps_the_first_copy() -> None:
    text = "It is red. " + "The room is blue. " * 20
    stopped = write(text, Sampling(max_tokens=400))
    assert (stopped.finish, stopped.text) == ("loop", "It is red. The room is blue")
    assert stopped.written < 80


def test_benchmarks_and_who_asks_for_it_get_the_whole_loop() -> None:
    text = "The room is blue. " * 10
    assert write(text, Sampling(max_tokens=100, ignore_end=True)).written == 100
    assert write(text, Sampling(max_tokens=100), loops=True).text == text[:100]


def test_unrelated_prompts_may_each_find_a_kept_beginning(checkpoint) -> None:
    pytest.importorskip("torch")
    from ragctx.readers import open_model
    from ragctx.work import Completion, Generate, Message, Sampling

    def asked(text: str) -> Generate:
        return Generate((Message("user", text),), sampling=Sampling(max_tokens=4, ignore_end=True))

    chooser = random.Random(5)
    documents = [" ".join(chooser.choice(["rent", "keys", "pets", "day"]) for _ in range(n)) for n in (200, 220)]
    reader = open_model(f"local:{checkpoint}")
    first = [reader.serve([asked(f"{document} why")], lambda *_: None)[0] for document in documents]
    together = reader.serve([asked(f"{document} why") for document in documents], lambda *_: None)
    assert all(isinstance(reply, Completion) for reply in together), together
    assert [reply.text for reply in together] == [reply.text for reply in first]
    assert all(reply.cached_tokens > 128 for reply in together)
