from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from ragctx.corpus import Corpus

WINDOW = 8192  # tokens of the default reader


def test_eight_documents_in_five_formats_all_readable(corpus: Corpus, texts: Mapping[str, str]) -> None:
    assert corpus.problems == ()
    assert len(texts) == 8
    assert {Path(name).suffix for name in texts} == {".csv", ".html", ".md", ".pdf", ".txt"}


def test_the_report_has_five_pages_that_begin_with_their_chapters(corpus: Corpus) -> None:
    report = corpus.document("annual-report-velm.pdf")
    assert len(report.pages) == 5
    ends = [*report.pages[1:], len(report.text)]
    pages = [report.text[start:end] for start, end in zip(report.pages, ends, strict=True)]
    assert "1. The year in brief" in pages[0]
    assert "Pell and Winter" in pages[4]
    assert "Pell and Winter" not in "".join(pages[:4])


def test_the_log_is_too_long_for_the_default_reader_and_the_others_fit_in_pairs(texts: Mapping[str, str]) -> None:
    # English runs at about four characters a token, text with many numbers at fewer: the log has more tokens than this.
    sizes = {name: len(text) / 4 for name, text in texts.items()}
    assert sizes.pop("station-log-skerrow.txt") > WINDOW
    first, second = sorted(sizes.values())[-2:]
    assert 1.5 * (first + second) < WINDOW


@pytest.fixture(scope="module")
def made(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("made")
    subprocess.run([sys.executable, folder / "make_documents.py", into], check=True, timeout=60)
    return into


def test_the_generator_writes_the_log_that_is_here(made: Path, folder: Path) -> None:
    log = "station-log-skerrow.txt"
    assert (made / log).read_bytes() == (folder / "documents" / log).read_bytes()


def test_the_generator_writes_the_report_that_is_here(made: Path, corpus: Corpus, tmp_path: Path) -> None:
    # Other versions of reportlab write other bytes: what counts is the text.
    again = Corpus.over(made / "annual-report-velm.pdf", folder=tmp_path / "index").documents[0]
    here = corpus.document("annual-report-velm.pdf")
    assert again.text[: len(again.text)] == here.text[: len(here.text)]
