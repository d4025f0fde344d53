import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ragctx.retrievers.parts import pack, parts, reuse

documents = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 7)), max_size=12)


def placed_of(listed, size=3):
    # The digest stands for the content, so equal digests have equal numbers of chunks.
    counts = {}
    listed = [(digest, counts.setdefault(digest, count)) for digest, count in listed]
    index = np.repeat(np.arange(len(listed)), [count for _, count in listed])
    return parts([digest for digest, _ in listed], index, size=size)


@given(documents)
def test_parts_hold_every_chunk_once(listed):
    placed = placed_of(listed)
    chunks = [chunk for one in placed for chunk in one.chunks]
    assert chunks == list(range(len(chunks)))
    assert all(1 <= one.part.count <= 3 for one in placed)


@given(documents)
def test_packs_are_bounded_and_lose_nothing(listed):
    placed = placed_of(listed)
    groups = list(pack(placed, size=5))
    assert [one for group in groups for one in group] == placed
    assert all(sum(one.part.count for one in group) <= 5 for group in groups)


@given(documents, documents)
def test_what_is_kept_and_what_is_missing_make_the_whole(before, after):
    counts = dict(before)
    before = [(digest, counts[digest]) for digest, _ in before]
    after = [(digest, counts.get(digest, count)) for digest, count in after]
    old, new = list(pack(placed_of(before), size=5)), placed_of(after)
    segments = [[one.part for one in group] for group in old]
    kept, missing = reuse(new, segments)
    taken = [one for keep in kept for one in keep.parts]
    assert sorted([*taken, *missing], key=lambda one: one.chunk) == new
    for keep, segment in zip(kept, segments, strict=True):
        assert keep.rows.sum() == sum(one.part.count for one in keep.parts)
        assert len(keep.rows) == sum(part.count for part in segment)
    if before == after:
        assert not missing
        assert all(keep.whole for keep in kept)
