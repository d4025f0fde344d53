from __future__ import annotations

import contextlib
import json

import pytest

from ragctx.corpus import Corpus
from ragctx.errors import InputError, UnreadableDocument


def texts(corpus):
    return {document.id: str(document.text) for document in corpus.documents}


def test_plain_text_has_pythons_offsets(write, checked):
    folder = write({"a.txt": "One.\r\nTwo.\rThree.\n", "b.md": "# Títle\n\nBody."})
    found = texts(checked(Corpus.over(folder)))
    assert found == {name: (folder / name).read_text(encoding="utf-8") for name in ("a.txt", "b.md")}


@pytest.mark.parametrize(
    ("codec", "noted"),
    [("utf-8", False), ("utf-8-sig", False), ("utf-16", False), ("utf-32", False), ("cp1252", True)],
)
def test_encodings(write, codec, noted):
    corpus = Corpus.over(write({"naïve file.txt": "Crème brûlée costs 5 €.".encode(codec)}))
    assert texts(corpus) == {"naïve file.txt": "Crème brûlée costs 5 €."}
    assert any("cp1252" in note for note in corpus.notes) is noted


def test_utf8_cut_between_blocks_is_still_utf8(write):
    text = "a" + "é漢" * 500_000
    corpus = Corpus.over(write({"a.txt": text}))
    assert texts(corpus)["a.txt"] == text
    assert corpus.notes == ()


@pytest.mark.parametrize("name", ["picture.png", "letter.txt", "noextension"])
def test_binary_is_refused_by_name_and_passed_over_in_a_folder(write, name):
    folder = write({name: b"\x89PNG\0\0\1\2", "good.txt": "Good."})
    with pytest.raises(UnreadableDocument, match="binary"):
        Corpus.over(folder / name)
    corpus = Corpus.over(folder)
    assert list(texts(corpus)) == ["good.txt"]
    [problem] = corpus.problems
    assert problem.source.endswith(name)
    assert problem.remedy


def test_empty_files(write):
    folder = write({"empty.txt": "", "blank.txt": "  \n", "good.txt": "Good."})
    with pytest.raises(UnreadableDocument, match="empty"):
        Corpus.over(folder / "empty.txt")
    corpus = Corpus.over(folder)
    assert [problem.why for problem in corpus.problems] == ["the file is empty"]
    assert corpus.notes == ("blank.txt has no visible text",)
    assert corpus.select(None).everything().passages[0].text == "  \n"


def test_unknown_extensions_are_read_by_what_they_hold(write, pdf):
    page = pdf("documents/lease.bin", ["Rent is due."])
    folder = write({"notes.log": "Plain.", "page.aspx": "<!DOCTYPE html><p>Seen</p><script>no</script>"})
    assert page.parent == folder
    assert {name: text.strip() for name, text in texts(Corpus.over(folder)).items()} == {
        "lease.bin": "Rent is due.",
        "notes.log": "Plain.",
        "page.aspx": "Seen",
    }


HTML = """<!DOCTYPE html><html><head><title> The  lease </title><style>p { color: red }</style></head>
<body><h1>Fees &amp; terms</h1><p>Rent is
   <b>due</b> on the <i>1</i>st.<br>Pets: 5&nbsp;&euro;</p><script>if (a < b) alert("no")</script>
<ul><li>One<li>Two</ul><table><tr><td>a</td><td>b</td></tr><tr><td>c<td>d</table><pre>x
  y</pre>&lt;b&gt;not bold&lt;/b&gt;<noscript>hidden</noscript></body></html>"""


def test_html_reads_as_it_is_seen(write, checked):
    corpus = checked(Corpus.over(write({"a.html": HTML})))
    [document] = corpus.documents
    assert document.title == "The lease"
    assert str(document.text) == (
        "Fees & terms\n\nRent is due on the 1st.\nPets: 5\xa0€\n\nOne\nTwo\n\na\tb\nc\td\n\nx\n  y\n\n<b>not bold</b>"
    )


def test_html_is_the_same_however_large(write):
    body = "<p>Some words &amp; more</p>\n" * 40_000
    [document] = Corpus.over(write({"big.html": f"<title>Big</title>{body}"})).documents
    assert str(document.text) == "\n\n".join(["Some words & more"] * 40_000)
    assert document.title == "Big"


def test_html_may_say_its_encoding(write):
    page = '<html><head><meta charset="iso-8859-2"></head><p>Łódź</p>'.encode("iso-8859-2")
    corpus = Corpus.over(write({"a.html": page}))
    assert texts(corpus) == {"a.html": "Łódź"}
    assert corpus.notes == ()


def test_json_lines(write, checked):
    lines = [
        json.dumps({"text": "Rent is due.", "title": "Lease", "year": 2020, "tags": ["a", "b"]}),
        "{broken",
        "",
        json.dumps({"city": "Oslo", "people": 700000, "note": None}),
        json.dumps("A bare string."),
        "[1, 2]",
        json.dumps({"text": "   "}),
    ]
    corpus = checked(Corpus.over(write({"r.jsonl": "\n".join(lines)})))
    assert texts(corpus) == {
        "r.jsonl#1": "Rent is due.",
        "r.jsonl#4": "city: Oslo\npeople: 700000",
        "r.jsonl#5": "A bare string.",
    }
    first = corpus.document("r.jsonl#1")
    assert (first.title, first.metadata) == ("Lease", {"title": "Lease", "year": 2020, "tags": '["a", "b"]'})
    assert [problem.source.rpartition(", ")[2] for problem in corpus.problems] == ["line 2", "line 6"]
    assert all("other records were read" in problem.remedy for problem in corpus.problems)


def test_json_lines_without_a_record_are_refused(write):
    folder = write({"bad.jsonl": "{broken\n[]\n"})
    with pytest.raises(UnreadableDocument, match="no line of it"):
        Corpus.over(folder / "bad.jsonl")


def test_lone_halves_of_characters_are_replaced_and_noted(write):
    corpus = Corpus.over(write({"r.jsonl": '{"text": "bad \\ud800 half"}'}))
    assert texts(corpus) == {"r.jsonl#1": "bad \ufffd half"}
    assert any("lone surrogates" in note for note in corpus.notes)


def test_csv(write, checked):
    oslo = 'Oslo;"Line one.\r\nLine ""two""; end.";700000'
    csv = f"city;Text;people\n{oslo}\n\nRome;;3\nBonn;Short.;1;surplus\nKiel;Last.\n"
    corpus = checked(Corpus.over(write({"c.csv": csv, "t.tsv": "a\tb\n1\t2\n"})))
    assert texts(corpus) == {
        "c.csv#1": 'Line one.\nLine "two"; end.',
        "c.csv#2": "city: Rome\npeople: 3",
        "c.csv#4": "Last.",
        "t.tsv#1": "a: 1\nb: 2",
    }
    assert corpus.document("c.csv#1").metadata == {"city": "Oslo", "people": "700000"}
    [problem] = corpus.problems
    assert "4 fields" in str(problem)


def test_a_csv_field_may_be_long(write):
    corpus = Corpus.over(write({"c.csv": "text\n" + "word " * 100_000}))
    assert corpus.characters == 500_000


def test_a_csv_without_rows_is_refused(write):
    with pytest.raises(UnreadableDocument, match="no rows"):
        Corpus.over(write({"c.csv": "a,b\n"}) / "c.csv")


def test_a_pdf_keeps_its_pages(pdf, checked):
    pages = ["Rent is due on the first. " * 12, "Pets are fine. Keys are two.", "The end."]
    corpus = checked(Corpus.over(pdf("a lease.pdf", pages)))
    [document] = corpus.documents
    assert (document.id, document.title, len(document.pages)) == ("a lease.pdf", "A lease", 3)
    text = str(document.text)
    assert document.page(text.index("Pets")) == 2
    assert [text[a:b].split() for a, b in zip(document.pages, (*document.pages[1:], None), strict=True)] == [
        page.split() for page in pages
    ]
    assert corpus.passage(next(s for s in corpus.chunks if "The end" in corpus.text(s))).source.endswith("a lease.pdf")


def test_encrypted_pdfs(pdf):
    assert "Rent" in str(Corpus.over(pdf("open.pdf", ["Rent is due."], password="")).documents[0].text)
    with pytest.raises(UnreadableDocument, match=r"encrypted.*without a password"):
        Corpus.over(pdf("closed.pdf", ["Rent is due."], password="secret"))


def test_a_pdf_without_text_asks_for_ocr(pdf):
    with pytest.raises(UnreadableDocument, match="OCR"):
        Corpus.over(pdf("scan.pdf", ["", ""]))


@pytest.mark.parametrize("keep", [0.02, 0.3, 0.6])
def test_damaged_pdfs_are_problems_not_crashes(pdf, keep):
    path = pdf("cut.pdf", ["Rent is due. " * 30] * 3)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with contextlib.suppress(UnreadableDocument):
        assert Corpus.over(path).characters


def test_a_file_that_only_claims_to_be_a_pdf(write):
    with pytest.raises(UnreadableDocument, match="not a PDF"):
        Corpus.over(write({"no.pdf": "just words"}) / "no.pdf")


def test_word_files(tmp_path, checked):
    import docx

    document = docx.Document()
    document.core_properties.title, document.core_properties.author = "Lease", "Wu"
    document.add_heading("Fees", 1)
    document.add_paragraph("Rent is due.")
    table = document.add_table(rows=2, cols=2)
    for cell, word in zip([c for row in table.rows for c in row.cells], ["a", "b", "c", "d"], strict=True):
        cell.text = word
    table.rows[1].cells[0].merge(table.rows[1].cells[1])
    document.add_paragraph("The end.")
    document.save(tmp_path / "lease.docx")
    corpus = checked(Corpus.over(tmp_path / "lease.docx"))
    [found] = corpus.documents
    assert str(found.text) == "Fees\n\nRent is due.\n\na\tb\nc d\n\nThe end."
    assert (found.title, found.metadata) == ("Lease", {"author": "Wu"})


@pytest.mark.parametrize("content", [b"\xd0\xcf\x11\xe0" + bytes(600), b"PK\x03\x04 cut", b"words"])
def test_files_that_only_claim_to_be_word_files(write, content):
    with pytest.raises(UnreadableDocument, match="docx"):
        Corpus.over(write({"no.docx": content}) / "no.docx")


def test_a_missing_package_is_named(write, monkeypatch):
    import sys

    from ragctx.errors import MissingExtra

    folder = write({"lease.docx": b"PK\x03\x04", "good.txt": "Good."})
    monkeypatch.setitem(sys.modules, "docx", None)
    with pytest.raises(MissingExtra, match=r"ragctx\[office\]"):
        Corpus.over(folder / "lease.docx")
    [problem] = Corpus.over(folder).problems
    assert "pip install 'ragctx[office]'" in problem.remedy


def test_missing_paths_and_empty_folders_say_what_to_do(tmp_path):
    with pytest.raises(UnreadableDocument, match="no such file"):
        Corpus.over(tmp_path / "absent")
    with pytest.raises(UnreadableDocument, match=r"Corpus\.of"):
        Corpus.over("Rent is due on the first of the month. " * 200)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnreadableDocument, match="holds no files"):
        Corpus.over(tmp_path / "empty")
    (tmp_path / "empty" / "x.txt").write_bytes(b"\0")
    with pytest.raises(UnreadableDocument, match="none of its 1 files"):
        Corpus.over(tmp_path / "empty")
    with pytest.raises(InputError, match="at least one"):
        Corpus.over()
    with pytest.raises(InputError, match="not a source"):
        Corpus.over(42)


def test_folders_are_walked_without_hidden_files_loops_or_silence(write, tmp_path):
    folder = write({"b/d e/é.txt": "Deep.", ".hidden.txt": "No.", ".git/x.txt": "No.", "a.txt": "Top."})
    (folder / "b" / "loop").symlink_to(folder)
    (folder / "dead.txt").symlink_to(tmp_path / "nowhere")
    corpus = Corpus.over(folder)
    assert [document.id for document in corpus.documents] == ["a.txt", "b/d e/é.txt"]
    assert [problem.why for problem in corpus.problems] == ["No such file or directory"]


def test_langchain_documents(checked):
    from langchain_core.documents import Document as Chain

    corpus = checked(
        Corpus.over(
            Chain(page_content="One.", metadata={"source": "a.pdf", "page": 1, "box": [1, 2]}),
            Chain(page_content="Two.", metadata={"source": "a.pdf"}),
            Chain(page_content="Three.", metadata={}, id="x-3"),
            Chain(page_content="Four."),
        )
    )
    ids = [document.id for document in corpus.documents]
    assert ids[:3] == ["a.pdf", "a.pdf#2", "x-3"]
    assert ids[3].startswith("document-")
    assert corpus.documents[0].metadata == {"source": "a.pdf", "page": 1, "box": "[1, 2]"}
