from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragctx.corpus import Chunking, Corpus, grammars, syntax
from ragctx.corpus.grammars import SUFFIXES, grammar_of
from ragctx.corpus.measure import Measure
from ragctx.corpus.syntax import Syntax
from ragctx.types import Document

pytest.importorskip("tree_sitter")

PYTHON = '''"""Reads the register of parcels."""

import os
from pathlib import Path


# How many parcels one page lists.
PAGE = 50


@cache
def opened(path):
    """The register in a folder."""
    return Path(path).read_text()


class Register:
    """All parcels 登记 🙂 of a town."""

    def __init__(self, folder):
        self.folder = folder  # where it lies

    # Looks at one page only.
    def page(self, number):
        """One page of the register, with every parcel on it."""
        first = number * PAGE
        rows = self.rows[first : first + PAGE]
        total = sum(row.area for row in rows if row.area > 0)
        return [f"{row.number}: {row.area}" for row in rows] + [f"total {total}"]

    def rename(self, name):
        self.name = name
'''
JAVA = """package town;

import java.util.List;

/** A parcel of land. */
public class Parcel {
    private final int number; // as the register has it

    @Override
    public String toString() {
        return "parcel " + number;
    }

    /** Its neighbours, nearest first. */
    public List<Parcel> neighbours(Register register) {
        var found = register.near(this);
        found.sort((one, other) -> Double.compare(one.distance(this), other.distance(this)));
        return found;
    }
}
"""
MARKS = [
    "(", ")", "{", "}", "[", "]", ":", ";", ",", "\n", "\r\n", "    ", "def f(a):", "class A", "if x", "return 1",
    "# note", "// note", "/* a", "*/", '"""', "'", '"', "漢字。", "😀", "e\u0301", "\u2028", "x" * 70, " = ", "<?php ",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(MARKS), max_size=80).map("".join)


def chunks(text, words, suffix=".py"):
    return [text[a:b] for a, b in Syntax(grammar_of(f"a{suffix}"), "file").cut(text, Chunking(words=words))]


def covered(text, spans, limit):
    end, measure = 0, Measure(text)
    for start, stop in spans:
        assert not text[end:start].strip()
        assert text[start:stop].strip() == text[start:stop] != ""
        assert measure.words(start, stop) <= limit
        end = stop
    assert not text[end:].strip()


@settings(deadline=None)
@given(TEXTS, st.integers(1, 40), st.sampled_from([".py", ".js", ".cpp", ".rs", ".php", ".rb", ".tsx"]))
def test_chunks_cover_visible_text_in_order_within_the_limit(text, limit, suffix):
    covered(text, Syntax(grammar_of(f"a{suffix}"), "file").cut(text, Chunking(words=limit)), limit)


@pytest.mark.parametrize("suffix", sorted({grammar: suffix for suffix, grammar in SUFFIXES.items()}.values()))
@pytest.mark.parametrize("text", [PYTHON, JAVA, "", " \n", "x", "(" * 3_000, "}" * 3_000, "漢字 😀 " * 900])
def test_every_grammar_bears_every_text(suffix, text):
    for limit in (1, 30):
        covered(text, Syntax(grammar_of(f"a{suffix}"), "file").cut(text, Chunking(words=limit)), limit)


def test_what_fits_is_one_chunk():
    assert chunks(PYTHON, 500) == [PYTHON.strip()]


def test_functions_stay_whole_with_their_comments_and_decorators():
    found = chunks(PYTHON, 30)
    assert found[0].startswith('"""Reads')
    assert found[0].endswith("PAGE = 50")
    assert found[1].startswith("@cache\ndef opened")
    assert found[1].endswith("read_text()")
    assert found[2].startswith("class Register:")
    assert "登记 🙂" in found[2]
    assert found[2].endswith("self.folder = folder  # where it lies")
    assert found[3].startswith('# Looks at one page only.\n    def page(self, number):\n        """One page')
    assert found[-1].endswith("def rename(self, name):\n        self.name = name")


def test_a_class_that_does_not_fit_gives_its_methods():
    found = chunks(JAVA, 25, ".java")
    assert found[0].endswith("import java.util.List;")
    assert found[1].startswith("/** A parcel of land. */\npublic class Parcel {")
    assert any(
        part.startswith("/** Its neighbours, nearest first. */\n    public List<Parcel> neighbours") for part in found
    )


def test_a_long_function_is_divided_between_its_statements():
    text = "def long(a):\n    '''Adds.'''\n" + "".join(f"    a = a + {i}  # step {i}\n" for i in range(100))
    found = chunks(text, 20)
    assert found[0].startswith("def long(a):\n    '''Adds.'''\n    a = a + 0")
    assert all(part.startswith("a = a + ") and part.rpartition("# step ")[2].isdigit() for part in found[1:])


def test_long_lines_and_deep_trees_are_divided():
    line = "data = '" + "abc, " * 4_000 + "'\n"
    assert all(Measure(part).words(0, len(part)) <= 50 for part in chunks(line, 50))
    deep = "x = " + "a + " * 20_000 + "a\n"
    assert len(chunks(deep, 50)) == pytest.approx(40_000 / 50, rel=0.1)


def test_what_a_parser_would_be_at_for_ever_is_cut_as_text(monkeypatch):
    import random

    rng = random.Random(1)
    text = "".join(
        rng.choice("(){}[]<>;:,.\"'`abc def class if 123 = + - * / \\ \n\t #@$%^&|!~?") for _ in range(60_000)
    )
    began, cs = time.monotonic(), Syntax(grammar_of("a.cs"), "a.cs")
    covered(text, list(cs.cut(text, Chunking())), 10_000)
    assert time.monotonic() - began < 30
    monkeypatch.setattr(grammars, "_ROUNDS", -10_000)
    python = Syntax(grammar_of("a.py"), "a.py")
    assert list(python.cut(PYTHON, Chunking(words=30)))
    assert "no python that can be parsed" in python.notes[0]


def test_a_file_that_is_too_long_is_cut_as_text(monkeypatch):
    monkeypatch.setattr(syntax, "LARGEST", 100)
    one = Syntax(grammar_of("a.py"), "a.py")
    assert list(one.cut(PYTHON, Chunking()))
    assert one.notes == ["a.py is longer than 100 characters: split as text"]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), st.integers(1, 9))
def test_sizes_grow_and_are_nought_where_nothing_is_visible(text, limit):
    measure = Measure(text)
    sizes = [measure.words(0, end) for end in range(len(text) + 1)]
    assert sizes == sorted(sizes)
    assert [size > 0 for size in sizes] == [bool(text[:end].strip()) for end in range(len(text) + 1)]
    if text:
        far = measure.reach(0, limit, len(text))
        assert sizes[far] <= limit or far == 1
        assert far == len(text) or sizes[far + 1] > limit


def test_a_corpus_cuts_code_by_syntax_and_text_as_ever(write, checked):
    folder = write({"a.py": PYTHON.replace("\n", "\r\n"), "b.txt": PYTHON, "c/Parcel.java": JAVA, "empty.py": ""})
    corpus = checked(Corpus.over(folder, chunking=Chunking(words=30)))
    spans = [corpus.text(chunk) for chunk in corpus.chunks if chunk.document == "a.py"]
    assert spans == chunks(PYTHON, 30)
    assert len({document.digest for document in corpus.documents}) == 3
    assert [problem.why for problem in corpus.problems] == ["the file is empty"]
    assert corpus.notes == ()
    assert Corpus.over(folder, chunking=Chunking(words=30)).manifest == corpus.manifest


def test_code_may_be_cut_as_text(write, checked):
    folder = write({"a.py": PYTHON})
    tree, text = Chunking(words=30), Chunking(words=30, code=False)
    assert tree.digest != text.digest
    by_text = checked(Corpus.over(folder, chunking=text))
    assert by_text.manifest != Corpus.over(folder, chunking=tree).manifest
    assert [by_text.text(chunk) for chunk in by_text.chunks] != chunks(PYTHON, 30)
    assert by_text.notes == ()
    in_memory = Corpus.of(Document("a.py", PYTHON), chunking=tree)
    assert [in_memory.text(chunk) for chunk in in_memory.chunks] == [by_text.text(chunk) for chunk in by_text.chunks]


def test_without_the_extra_code_is_cut_as_text_with_one_note_and_anew_once_it_is_there(write, tmp_path, monkeypatch):
    folder = write({"a.py": PYTHON, "b.py": PYTHON.replace("town", "city"), "c.txt": "Plain."})
    place, chunking = tmp_path / "store", Chunking(words=30)
    with monkeypatch.context() as without:
        without.setattr(grammars, "_identity", lambda grammar: "")
        lacking = Corpus.over(folder, folder=place, chunking=chunking)
        assert lacking.notes == ("2 files of code, a.py first, cut as text, not by syntax: pip install 'ragctx[code]'",)
        assert Corpus.over(folder, folder=place, chunking=chunking).manifest == lacking.manifest
    corpus = Corpus.over(folder, folder=place, chunking=chunking)
    assert corpus.notes == ()
    assert corpus.manifest != lacking.manifest
    assert [corpus.text(chunk) for chunk in corpus.chunks if chunk.document == "a.py"] == chunks(PYTHON, 30)
    unchanged = [document.digest for document in (lacking.documents[2], corpus.documents[2])]
    assert unchanged[0] == unchanged[1]


def test_another_version_of_a_grammar_cuts_again(write, tmp_path, monkeypatch):
    folder, place = write({"a.py": PYTHON}), tmp_path / "store"
    old = Corpus.over(folder, folder=place)
    monkeypatch.setattr(grammars, "_identity", lambda grammar: f"{grammar.name} 99")
    assert Corpus.over(folder, folder=place).manifest != old.manifest


def test_a_file_that_begins_as_a_page_is_still_code(write):
    page = "<!doctype html>\n<html><body><?php echo title(); ?></body></html>\n"
    corpus = Corpus.over(write({"page.php": page}))
    assert str(corpus.documents[0].text) == page


@given(TEXTS, st.data())
def test_a_stretch_weighs_as_much_as_its_own_text(text, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    assert Measure(text).words(start, end) == Measure(text[start:end]).words(0, end - start)
