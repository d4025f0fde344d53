"""The parts that need no model: prompt grouping, the bounded store, text from tokens."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ragctx.readers.prefix import PrefixStore, common, groups
from ragctx.readers.text_stream import TextStream


def ids(*numbers):
    return np.asarray(numbers, dtype=np.int32)


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=300), min_size=1, max_size=12), st.integers(1, 5))
def test_groups_share_what_they_say_they_share(prompts, most):
    arrays = [np.resize(ids(*p), len(p) * 3) for p in prompts]
    made = groups(arrays, most, [8] * len(arrays), tokens=500)
    assert sorted(i for group in made for i in group.members) == list(range(len(arrays)))
    for group in made:
        assert len(group.members) <= most
        first = arrays[group.members[0]]
        assert all(common(first, arrays[i]) >= group.prefix < len(arrays[i]) for i in group.members)


def test_the_store_is_bounded_and_drops_the_oldest():
    store = PrefixStore[str](limit=100)
    a, b, c = (np.full(200, n, dtype=np.int32) for n in (1, 2, 3))
    store.put(a, "a", 40)
    store.put(b, "b", 40)
    assert store.longest(a) == (200, "a")
    store.put(c, "c", 40)
    assert store.longest(b) == (0, None)
    assert store.longest(a)[1] == "a"
    assert store.size == 80
    store.put(np.full(300, 9, dtype=np.int32), "huge", 101)
    assert len(store) == 2


def test_an_entry_replaces_what_it_contains():
    store = PrefixStore[str](limit=1000)
    store.put(np.arange(200, dtype=np.int32), "short", 10)
    store.put(np.arange(400, dtype=np.int32), "long", 10)
    assert len(store) == 1
    assert store.longest(np.arange(300, dtype=np.int32)) == (300, "long")


def test_a_store_of_nothing_keeps_nothing():
    store = PrefixStore[str](limit=0)
    store.put(np.arange(200, dtype=np.int32), "x", 1)
    assert store.longest(np.arange(200, dtype=np.int32)) == (0, None)


def decode(numbers):
    return bytes(numbers).decode("utf-8", "replace")


@given(st.text(max_size=120), st.lists(st.text(min_size=1, max_size=4), max_size=3))
def test_pieces_join_to_the_text_cut_at_the_first_stop(text, stops):
    stream = TextStream(decode, stops)
    pieces = []
    for byte in text.encode():
        pieces.append(stream.push(byte))
        if stream.stopped:
            break
    pieces.append(stream.finish())
    cuts = [at for stop in stops if (at := text.find(stop)) >= 0]
    assert "".join(pieces) == stream.text
    if cuts:
        assert stream.stopped
        assert text.startswith(stream.text)
        assert not any(stop in stream.text for stop in stops)
    elif "\ufffd" not in text:
        assert stream.text == text
        assert not any("\ufffd" in piece for piece in pieces)


def test_half_a_character_at_the_end_is_shown_as_such():
    stream = TextStream(decode)
    assert [stream.push(byte) for byte in "é".encode()[:1]] == [""]
    assert stream.finish() == "\ufffd"
