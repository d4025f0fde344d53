from __future__ import annotations

import random
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragctx.corpus.chunking import Chunking
from ragctx.corpus.chunks import cut, words
from ragctx.corpus.sentences import language, split, stream
from ragctx.errors import ConfigError

PROSE = st.lists(
    st.sampled_from(
        ["The rent is due. ", "Dr. Wu left! ", "\n\n", "\n", "Why? ", "知识图谱。", "これはペンです。", " ", "a" * 40,
         "\t| x | y |\n", "…", "e\u0301", "\U0001f600 "]
    ),
    max_size=60,
).map("".join)  # fmt: skip
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


def pieces_of(text: str, size: int) -> list[str]:
    return [text[i : i + size] for i in range(0, len(text), size)]


@given(st.one_of(PROSE, ANY), st.integers(1, 50))
def test_sentences_joined_are_the_text_however_it_arrives(text, size):
    found = list(stream(pieces_of(text, size), block=20))
    assert "".join(sentence for _, sentence in found) == text
    assert all(text[at : at + len(sentence)] == sentence for at, sentence in found)


@given(st.one_of(PROSE, ANY), st.integers(1, 60), st.integers(1, 50))
def test_chunks_cover_visible_text_in_order_without_overlap(text, limit, size):
    end = 0
    for start, stop in cut(pieces_of(text, size), Chunking(words=limit)):
        assert not text[end:start].strip()
        assert text[start:stop].strip() == text[start:stop] != ""
        end = stop
    assert not text[end:].strip()


@given(PROSE, st.integers(5, 60))
def test_chunks_keep_to_the_limit(text, limit):
    # A piece that cannot be divided may pass it: one character, or a word that semchunk keeps whole.
    for start, stop in cut([text], Chunking(words=limit)):
        assert words(text[start:stop]) <= limit + 4 or stop - start == 1


def test_borders_do_not_depend_on_how_a_long_text_arrives():
    rng = random.Random(5)
    lines = ["The lease ends in May.", "Mr. Ode pays {} euros. He said so!", "See Fig. {} below.", "Is it due?"]
    sentences = [rng.choice(lines).format(rng.randint(1, 999)) for _ in range(60_000)]
    text = "".join(s + rng.choice([" ", " ", " ", "\n", "\n\n"]) for s in sentences)
    assert len(text) > 1_200_000
    whole = list(cut([text], Chunking()))
    assert list(cut(pieces_of(text, 65_536), Chunking())) == whole
    assert list(cut(pieces_of(text, 999_983), Chunking())) == whole


def test_blank_lines_of_a_long_text_are_kept():
    # sentencex by itself loses some of them in texts of some kilobytes.
    text = "The rent is due. Mr. Ode pays 12 euros!\n\nIs it due?\n" * 2_000
    assert "".join(split(text, "en")) == text
    assert [s.strip() for s in split(text, "en") if s.strip()][:3] == [
        "The rent is due.",
        "Mr. Ode pays 12 euros!",
        "Is it due?",
    ]


def test_one_line_of_megabytes_is_cut_at_sentences_too():
    text = "The tenant pays on the first day. " * 60_000
    spans = list(cut(pieces_of(text, 65_536), Chunking()))
    assert all(text[stop - 1] == "." and text[start] == "T" for start, stop in spans)
    assert max(words(text[start:stop]) for start, stop in spans) <= 150


def test_text_without_any_border_is_cut_all_the_same():
    spans = list(cut(pieces_of("x" * 2_500_000, 65_536), Chunking(words=100)))
    assert spans[0][0] == 0
    assert spans[-1][1] == 2_500_000
    assert all(a[1] == b[0] for a, b in pairwise(spans))
    assert max(stop - start for start, stop in spans) <= 1_200


def test_chinese_is_cut_at_its_sentences():
    text = "租金每月到期。房客可以养宠物。" * 200
    spans = list(cut([text], Chunking(words=100)))
    assert all(text[stop - 1] == "。" for _, stop in spans)
    assert max(stop - start for start, stop in spans) <= 150


def test_a_paragraphs_end_ends_a_chunk_that_is_nearly_full():
    first, second = "One two three four five six seven eight. ", "Nine ten eleven."
    text = f"{first}\n\n{second}"
    assert [text[a:b] for a, b in cut([text], Chunking(words=11))] == [first.strip(), second]
    assert [text[a:b] for a, b in cut([text], Chunking(words=20))] == [text]


def test_a_heading_goes_with_what_follows():
    body, more = "One two three four five. ", "Six seven eight nine."
    text = f"{body}\n\n# Part B\n\n## Its fees\n\n{more}"
    assert [text[a:b] for a, b in cut([text], Chunking(words=12))] == [
        body.strip(),
        f"# Part B\n\n## Its fees\n\n{more}",
    ]
    # At a page's end it stays on its page.
    pages = (0, text.index(more))
    assert [text[a:b] for a, b in cut([text], Chunking(words=50), pages)] == [text[: pages[1]].strip(), more]


@pytest.mark.parametrize(
    ("text", "code"),
    [("Plain words.", "en"), ("Café à Paris, déjà vu.", "en"), ("通知期间", "zh"), ("期間は3ヶ月です", "ja"),
     ("аренда", "ru"), ("임대", "ko"), ("", "en")],
)  # fmt: skip
def test_the_script_tells_the_language(text, code):
    assert language(text) == code


@given(PROSE, st.integers(1, 60), st.lists(st.integers(0, 300), max_size=8), st.integers(1, 50))
def test_no_chunk_reaches_over_a_pages_end(text, limit, borders, size):
    pages = sorted({0, *borders})
    end = 0
    for start, stop in cut(pieces_of(text, size), Chunking(words=limit), pages):
        assert not text[end:start].strip()
        assert not any(start < page < stop for page in pages)
        end = stop
    assert not text[end:].strip()


def test_sentences_know_abbreviations():
    assert [s.strip() for s in split("See Sec. 4 of the U.S. Code. Dr. Wu agreed.", "en")] == [
        "See Sec. 4 of the U.S. Code.",
        "Dr. Wu agreed.",
    ]


CJK_WORDS = ["租金", "每月到期", "、", "これは", "ペン", "（注）", "3.5", "Dr. Wu", "……", " ", "\n", "\n\n"]
CJK_MARKS = [*"。！？「」『』“”„‘’《》（）[]<>{}«»\"'`"]
CJK = st.lists(st.sampled_from([*CJK_WORDS, *CJK_MARKS, *"。。。"]), max_size=80).map("".join)


@given(CJK, st.sampled_from(["zh", "ja", "en"]), st.integers(1, 30))
def test_long_texts_without_spaces_are_divided_at_true_borders_only(text, code, reach):
    from sentencex import segment

    from ragctx.corpus import sentences

    before, sentences._REACH = sentences._REACH, reach
    try:
        assert "".join(split(text, code)) == text
        whole = [s.strip() for s in segment(code, text) if s.strip()]
        assert [s.strip() for s in split(text, code) if s.strip()] == whole
    finally:
        sentences._REACH = before


@pytest.mark.parametrize("before", ["", "「", '"'], ids=["plain", "a quotation left open", "a lone quotation mark"])
def test_a_megabyte_of_chinese_takes_no_minutes(before):
    text = before + "租金每月到期。房客可以养宠物，" * 30_000
    begun = time.process_time()
    assert len(list(cut([text], Chunking()))) == 2_001
    assert time.process_time() - begun < 10


def test_words_count_scripts_without_spaces():
    assert words("租金每月到期") == 4
    assert words("rent is due") == 3
    assert words("x" * 1200) == 100
    assert words("rent 租金") == 3
    assert words("") == 0


@pytest.mark.parametrize("wrong", [{"words": 0}, {"settle": 0.0}, {"settle": 1.5}])
def test_impossible_chunkings_are_refused(wrong):
    with pytest.raises(ConfigError):
        Chunking(**wrong)
