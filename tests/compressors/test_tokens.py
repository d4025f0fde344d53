"""Tokens with their places: they tile the text, split no character and no word, and some are forced."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragctx.compressors.forced import Rules
from ragctx.compressors.sections import renumbered, sections_of, segments_of
from ragctx.compressors.tokens import Token, Tokenized, tokens_of
from ragctx.errors import ConfigError
from ragctx.readers.scripted import Scripted
from ragctx.types import Passage

WORDS = Scripted().facts.counter


class Bytes:
    """A tokenizer of single bytes: every byte of a character stands for the whole of it."""

    def pieces(self, text):
        places = [(place, byte) for place, one in enumerate(text) for byte in one.encode("utf-8", "surrogatepass")]
        return [byte for _, byte in places], [(place, place + 1) for place, _ in places]


class Visible:
    """A tokenizer that leaves blanks out, and everything that is not ASCII."""

    def pieces(self, text):
        seen = [n for n, one in enumerate(text) if one.isascii() and not one.isspace()]
        return seen, [(n, n + 1) for n in seen]


def tokens(text, pieces=WORDS, **more):
    [one] = tokens_of([Passage(text, ())], pieces, **more)
    return one


def read(text, pieces=WORDS, **more):
    return [text[token.start : token.end] for token in tokens(text, pieces, **more).tokens]


TEXTS = st.text(st.sampled_from("ab1,.- \n\t租é\u0301😀\u200d\ufeff\x00\u0e01'%$"), max_size=60)


@settings(deadline=None)
@given(text=TEXTS, words=st.booleans(), pieces=st.sampled_from([WORDS, Bytes(), Visible()]))
def test_tokens_tile_text_and_ids(text, words, pieces):
    found = tokens(text, pieces, words=words)
    if not text.strip():
        assert found.tokens == ()
        return
    assert "".join(text[token.start : token.end] for token in found.tokens) == text
    assert all(text[token.start : token.end].strip() for token in found.tokens)
    assert [token.first for token in found.tokens] == [0, *(token.last for token in found.tokens[:-1])]
    assert found.tokens[-1].last == len(found.ids)


def test_words_and_numbers_are_whole_and_characters_always():
    text = "Ünter-Haus kostet $1,200.50, 5% mehr."
    assert read(text, Bytes()) == ["Ünter-Haus", " kostet", " $1,200.50", ",", " 5%", " mehr", "."]
    assert read("né", Bytes(), words=False) == ["n", "é"]
    assert read("ne\u0301 👩\u200d👧!", Bytes(), words=False) == ["n", "e\u0301", " 👩\u200d👧", "!"]


def test_flags_and_colours_of_skin_stay_with_their_emoji():
    assert read("🇸🇪🇩🇰 👋🏽!", Bytes(), words=False) == ["🇸🇪", "🇩🇰", " 👋🏽", "!"]


def test_scripts_without_blanks_are_taken_character_by_character():
    assert read("租金为十元", Bytes()) == list("租金为十元")


def test_numerals_in_a_row_are_one_number():
    assert read("租金为一千二百五十元", Bytes()) == [*"租金为", "一千二百五十", "元"]
    assert read("约3千2百万人", Bytes()) == ["约", "3千", "2百万", "人"]
    assert Rules(numbers=True).ranges("一年付三百元，共12万") == [(3, 5), (8, 11)]


def test_endless_words_are_no_words():
    assert len(read("a" * 500, Bytes())) == 500
    assert len(read("e" + "\u0301" * 500, Bytes())) > 5


def test_blanks_go_with_what_follows_and_the_last_ones_with_what_precedes():
    assert read(" \n a\n\nb \n", Bytes()) == [" \n a", "\n\nb \n"]


def test_what_the_tokenizer_does_not_see_is_kept_with_its_neighbours():
    assert read("a 租金 b", Visible(), words=False) == ["a", " 租金 b"]
    assert tokens("租金", Visible()).tokens == (Token(0, 0, 2, 0, 0),)


def test_a_weight_is_the_mean_of_the_pieces():
    found = tokens("ab c", Bytes())
    assert [token.weight for token in found.weighed([1.0, 3.0, 0.0, 4.0])] == [2.0, 2.0]
    assert [(token.start, token.weight) for token in found.weighed([0.0, 4.0], first=2)] == [(2, 2.0)]


class TestRules:
    def test_numbers_and_patterns_force_whole_tokens(self):
        found = tokens("Paid 1,200.50 to ACME-7 in May.", rules=Rules(numbers=True, patterns=("May",)))
        text = "Paid 1,200.50 to ACME-7 in May."
        assert [text[t.start : t.end].strip() for t in found.tokens if t.forced] == ["1,200.50", "ACME-7", "May"]

    def test_nothing_is_forced_by_default(self):
        assert not any(token.forced for token in tokens("Paid 1,200.50 in May.").tokens)

    @pytest.mark.parametrize(
        "pattern", ["(a+)+", "(?:\\w+ )*", "(ab|a)*x", "(a)\\1", "((a*)b)*", "(?:(?=a+)a)+", "(?>a+)+"]
    )
    def test_patterns_that_could_take_for_ever_are_refused(self, pattern):
        with pytest.raises(ConfigError, match="for ever"):
            Rules(patterns=(pattern,))

    @pytest.mark.parametrize("pattern", ["(", "a{", "[z-a]"])
    def test_what_is_no_pattern_is_refused_or_plain(self, pattern):
        if pattern == "a{":
            assert Rules(patterns=(pattern,)).ranges("a{") == [(0, 2)]
            return
        with pytest.raises(ConfigError, match="no regular expression"):
            Rules(patterns=(pattern,))

    def test_ordinary_patterns_are_taken(self):
        rules = Rules(patterns=(r"\b[A-Z]{2,5}-\d+\b", r"(?:§|Art\.) ?\d+", r"(foo|bar)", "(?i)total"))
        assert rules.ranges("AB-12 per § 7 foo TOTAL") == [(0, 5), (10, 13), (14, 17), (18, 23)]

    def test_long_lines_are_searched_in_stretches(self):
        text = "x " * 5000 + "CODE-9" + " y" * 5000
        assert Rules(patterns=(r"\w+-\d",)).ranges(text) == [(10_000, 10_006)]

    @pytest.mark.parametrize("pattern", [".*.*.*.*=", r"\w*\s*\w*\s*\w*=", ".{0,300}.{0,300}.{0,300}.{0,300}="])
    def test_a_pattern_that_is_slow_is_given_up(self, pattern):
        began = time.monotonic()
        with pytest.raises(ConfigError, match="too slow"):
            Rules(patterns=(pattern,)).ranges("a" * 4000)
        assert time.monotonic() - began < 20

    def test_many_repeats_that_are_quick_are_taken(self):
        assert Rules(patterns=(r"\w+ +\w+ +\d+",)).ranges("x " * 300 + "due May 2031")[-1][1] == 612

    def test_a_pattern_that_matches_nothing_forces_nothing(self):
        assert Rules(patterns=("x*",)).ranges("abc") == []


class TestSections:
    def test_a_long_passage_is_cut_into_like_parts(self):
        passages = tokens_of([Passage("a " * 10, ()), Passage(" ", ()), Passage("b c", ())], WORDS)
        found = sections_of(passages, 4)
        assert [(one.passage, len(one.ids)) for one in found] == [(0, 4), (0, 4), (0, 2), (2, 2)]
        assert [one.place for one in found][:3] == [(0, 7), (7, 15), (15, 20)]

    @settings(deadline=None)
    @given(text=TEXTS, most=st.integers(1, 9))
    def test_sections_and_segments_tile_their_passage(self, text, most):
        [one] = tokens_of([Passage(text, ())], Bytes())
        found = sections_of([one], most)
        assert tuple(token for section in found for token in section.tokens) == one.tokens
        for section in found:
            parts = segments_of(section, 2)
            assert tuple(token for part in parts for token in part.tokens) == section.tokens
            assert tuple(i for part in parts for i in part.ids) == section.ids
            values = list(range(len(section.ids)))
            assert len(section.weighed(values)) == len(section.tokens)

    def test_renumbered(self):
        assert [token.passage for token in renumbered([Token(0, 0, 1), Token(2, 0, 1)], [2, 0, 1])] == [1, 0]

    def test_a_token_without_ids_is_a_section(self):
        [section] = sections_of([Tokenized((), (Token(0, 0, 2),))], 5)
        assert section.ids == ()
        assert section.weighed([])[0].weight == 0.0
