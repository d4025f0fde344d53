from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ragctx.retrievers.postings import Postings
from ragctx.retrievers.tokens import fingerprint, terms

WORDS = ["rent", "key", "pet", "期间", "x"]
texts = st.lists(st.lists(st.sampled_from([*WORDS, "the"])).map(" ".join), max_size=12)


@given(texts)
def test_postings_count_every_term(given_texts):
    postings = Postings.of(given_texts)
    counted = [Counter(terms(text)) for text in given_texts]
    for word in [*WORDS, "absent"]:
        rows, counts = postings.find(fingerprint(word))
        wanted = {row: counts[word] for row, counts in enumerate(counted) if counts[word]}
        assert dict(zip(rows.tolist(), counts.tolist(), strict=True)) == wanted
        assert rows.tolist() == sorted(wanted)
    assert postings.lengths.tolist() == [counts.total() for counts in counted]


@given(texts, st.data())
def test_keeping_rows_is_indexing_the_rest(given_texts, data):
    stays = data.draw(st.lists(st.booleans(), min_size=len(given_texts), max_size=len(given_texts)))
    kept = Postings.of(given_texts).keep(np.array(stays, bool))
    again = Postings.of([text for text, keep in zip(given_texts, stays, strict=True) if keep])
    assert all(np.array_equal(getattr(kept, name), getattr(again, name)) for name in Postings.__slots__)


@given(st.lists(texts, min_size=1, max_size=4))
def test_joining_is_indexing_all(several):
    joined = Postings.join([Postings.of(each) for each in several])
    again = Postings.of([text for each in several for text in each])
    assert all(np.array_equal(getattr(joined, name), getattr(again, name)) for name in Postings.__slots__)


def test_saved_postings_open_as_they_were(tmp_path):
    postings = Postings.of(["rent and keys", "", "rent rent"])
    postings.save(tmp_path / "one")
    opened = Postings.open(tmp_path / "one")
    assert all(np.array_equal(getattr(postings, name), getattr(opened, name)) for name in Postings.__slots__)
    assert isinstance(opened.rows, np.memmap)


def test_a_very_long_row_is_counted():
    postings = Postings.of(["rent " * 70_000])
    rows, counts = postings.find(fingerprint("rent"))
    assert rows.tolist() == [0]
    assert counts.tolist() == [65_535]
    assert postings.lengths.tolist() == [70_000]
