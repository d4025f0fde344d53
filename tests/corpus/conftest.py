from __future__ import annotations

import textwrap
from pathlib import Path

import pytest


@pytest.fixture
def write(tmp_path):
    """Writes files into a folder of documents and returns the folder."""
    folder = tmp_path / "documents"
    folder.mkdir()

    def written(files: dict[str, str | bytes]) -> Path:
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder

    return written


@pytest.fixture
def pdf(tmp_path):
    """Makes a PDF of the given pages, encrypted when a password is given."""

    def made(name: str, pages: list[str], password: str | None = None, owner: str = "owner") -> Path:
        from reportlab.pdfgen.canvas import Canvas

        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        canvas = Canvas(str(path))
        canvas.setTitle("A lease")
        for page in pages:
            y = 780
            for line in textwrap.wrap(page, 70):
                canvas.drawString(60, y, line)
                y -= 16
            canvas.showPage()
        canvas.save()
        if password is not None:
            from pypdf import PdfReader, PdfWriter

            writer = PdfWriter(clone_from=PdfReader(path))
            writer.encrypt(user_password=password, owner_password=owner, algorithm="AES-256")
            writer.write(path)
        return path

    return made


@pytest.fixture
def checked():
    """Asserts what holds for the chunks of every corpus, and returns it."""

    def check(corpus):
        ends = {document.id: 0 for document in corpus.documents}
        for i, span in enumerate(corpus.chunks):
            text = str(corpus.document(span.document).text)
            chunk = text[span.start : span.end]
            assert corpus.chunks.text(i) == corpus.text(span) == chunk
            assert chunk == chunk.strip() != ""
            assert not text[ends[span.document] : span.start].strip()
            ends[span.document] = span.end
        for name, end in ends.items():
            assert not str(corpus.document(name).text)[end:].strip()
        return corpus

    return check
