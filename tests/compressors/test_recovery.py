"""What an answer copied from compressed text reads as in the source again; its own words stay."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ragctx.compressors.recovery import recovered
from ragctx.types import Context, Document, Passage, Span

LEASE = "The lease ends on the 3rd of May, 2031. Anna Maria Kestrel owns the whole of the wharf in Port Ellery."


def context(*passages):
    return Context(tuple(passages))


def passage(text, name="a"):
    return Passage(text, (Span(name, 0, len(text)),), name)


def kept(whole, *words):
    """The passage with the first place of each of some words, in order."""
    places, at = [], 0
    for word in words:
        at = whole.text.index(word, at)
        places.append((at, at + len(word)))
        at += len(word)
    return whole.narrowed(places)


def test_gaps_of_copied_runs_are_filled():
    whole = passage(LEASE)
    left = kept(whole, "3rd", "May", "2031", "Anna", "Kestrel", "owns")
    said = "It is the 3rd May 2031, and Anna Kestrel owns it."
    assert recovered(said, context(whole), context(left)) == (
        "It is the 3rd of May, 2031, and Anna Maria Kestrel owns it."
    )


def test_what_was_not_copied_stays_and_so_does_what_has_no_gap():
    whole = passage(LEASE)
    for said in ("", "Nobody knows.", "3rd", "May 2031", "the  lease", "[1] ..."):
        left = kept(whole, "lease ends", "3rd")
        assert recovered(said, context(whole), context(left)) == said


def test_everything_kept_changes_nothing():
    whole = passage(LEASE)
    assert recovered("Anna Maria Kestrel owns", context(whole), context(whole)) == "Anna Maria Kestrel owns"


def test_words_far_apart_are_no_run():
    whole = passage("ten " + "x " * 11 + "crowns and ten " + "x " * 3 + "pence")
    far = context(kept(whole, "ten", "crowns"))
    assert recovered("ten crowns", context(whole), far) == "ten crowns"
    assert recovered("ten crowns", context(whole), far, gap=11).count("x") == 11


def test_a_run_does_not_cross_passages():
    first, second = passage("ten gold", "a"), passage("big crowns", "b")
    left = context(kept(first, "ten"), kept(second, "crowns"))
    assert recovered("ten crowns", context(first, second), left) == "ten crowns"


def test_the_shortest_of_several_places_is_taken():
    first, second = passage("ten old and worn crowns", "a"), passage("ten gold crowns", "b")
    left = context(kept(first, "ten", "crowns"), kept(second, "ten", "crowns"))
    assert recovered("ten crowns", context(first, second), left) == "ten gold crowns"


def test_a_place_that_reads_the_same_is_left_alone():
    first, second = passage("ten old crowns", "a"), passage("ten crowns", "b")
    left = context(kept(first, "ten", "crowns"), second)
    assert recovered("ten crowns", context(first, second), left) == "ten crowns"


def test_the_longest_run_wins():
    whole = passage("ten gold crowns. ten new crowns a month")
    left = context(kept(whole, "ten", "crowns", "ten", "crowns a month"))
    assert recovered("ten crowns a month", context(whole), left) == "ten new crowns a month"


def test_halves_of_words_become_whole():
    whole = passage("an unbelievable 19,500 crowns")
    left = context(whole.narrowed([(5, 12), (16, 18)]))
    assert left.passages[0].text == "believa 19"
    assert recovered("believa", context(whole), left) == "unbelievable"


def test_spans_of_a_passage_that_was_cut_before_keep_their_places():
    document = Document("d", "Rent is ten. Pets are fine. The rent is ten gold crowns a month.")
    whole = Passage.cut(document, [Span("d", 0, 12), Span("d", 28, 64)])
    left = kept(whole, "rent", "ten", "crowns", "month")
    assert recovered("ten crowns", context(whole), context(left)) == "ten gold crowns"


def test_derived_passages_have_no_places():
    whole = Passage("ten gold crowns", (Span("a", 0, 90),), derived=True)
    left = context(kept(whole, "ten", "crowns"))
    assert recovered("ten crowns", context(whole), left) == "ten crowns"


def test_the_same_word_over_and_over_is_fast():
    whole = passage("rent " * 3000)
    left = context(whole.narrowed((n * 10, n * 10 + 4) for n in range(1500)))
    assert recovered("rent " * 60, context(whole), left).startswith("rent")


@settings(deadline=None)
@given(st.data())
def test_an_answer_copied_whole_is_found_in_the_source(data):
    words = data.draw(
        st.lists(st.sampled_from(["ten", "crowns", "of", "the", "rent", ",", "1", "50", "é"]), min_size=2, max_size=14)
    )
    whole = passage(" ".join(words))
    chosen = data.draw(st.lists(st.integers(0, len(words) - 1), min_size=1, unique=True))
    places = [sum(len(word) + 1 for word in words[:n]) for n in sorted(chosen)]
    left = whole.narrowed((place, place + len(words[n])) for place, n in zip(places, sorted(chosen), strict=True))
    assert recovered(left.text, context(whole), context(left), gap=20) in whole.text
