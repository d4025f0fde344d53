"""Nothing but ragctx's own words reaches the terminal: what libraries log for themselves stays out."""

from __future__ import annotations

from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

QUESTION = "What is the notice period?"


def test_attempts_that_helped_are_no_news(finished, documents, endpoint):
    endpoint.failures = 1
    done = finished("ask", QUESTION, "-d", documents, "-r", endpoint.reader)
    assert (done.code, done.err) == (0, "")
    assert endpoint.calls == 2


def test_oddities_of_a_pdf_are_not_told_by_its_library(finished, tmp_path, reader):
    folder = tmp_path / "odd"
    folder.mkdir()
    odd(folder / "lease.pdf", "The notice period is three months.")
    done = finished("ask", QUESTION, "-d", folder, "-r", reader())
    assert (done.code, done.err) == (0, "")
    assert "lease.pdf" in done.out


def test_a_file_that_is_no_pdf_is_told_in_our_words(finished, tmp_path, reader):
    (tmp_path / "words.pdf").write_text("just words\n" * 50)
    done = finished("ask", QUESTION, "-d", tmp_path / "words.pdf", "-r", reader())
    assert done.code == 3
    assert done.err.startswith("error: cannot read ")
    assert "invalid pdf header" not in done.err


def odd(path, text: str) -> None:
    """A readable PDF with an odd header."""
    writer = PdfWriter()
    page = writer.add_blank_page(width=300, height=300)
    font = DictionaryObject({
        NameObject("/Type"): NameObject("/Font"),
        NameObject("/Subtype"): NameObject("/Type1"),
        NameObject("/BaseFont"): NameObject("/Helvetica"),
    })  # fmt: skip
    fonts = DictionaryObject({NameObject("/F1"): writer._add_object(font)})
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    stream = DecodedStreamObject()
    stream.set_data(f"BT /F1 12 Tf 20 200 Td ({text}) Tj ET".encode())
    page[NameObject("/Contents")] = writer._add_object(stream)
    writer.write(path)
    path.write_bytes(path.read_bytes().replace(b"%PDF-", b"%pdf-"))
