"""Asking without a language model: what is loaded, what is said, what the doctor sees."""

from __future__ import annotations

import json
import re

import pytest

HEAVY = ("torch", "sklearn", "transformers", "sentence_transformers", "openai")
WATCH = f"""
import atexit, json, sys
def tell():
    print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]), file=open("loaded.json", "w"))
atexit.register(tell)
"""


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["auto", "extractive"])
def test_an_extracted_answer_loads_nothing_heavy(finished, documents, tmp_path, reader) -> None:
    models = {"RAGCTX_RANKER": "extractive", "RAGCTX_ENCODER": "auto", "RAGCTX_READER": reader}
    indexed = finished("index", "-d", documents, seconds=600, **models)
    assert indexed.code == 0, indexed.err
    asked = "What is the notice period?"
    done = finished("ask", asked, "-d", documents, "--strategy", "extract", "--json", before=WATCH, **models)
    assert done.code == 0, done.err
    assert done.json["strategy"] == "extract"
    assert done.json["usage"]["charges"][0]["role"] == "ranker"
    assert json.loads((tmp_path / "loaded.json").read_text()) == []


def test_an_answer_says_how_sure_it_is(ragctx, documents) -> None:
    done = ragctx("ask", "What is the notice period?", "-d", documents, "-r", "extractive", "--ranker", "extractive")
    assert done.code == 0, done.err
    told = " ".join(done.out.split())
    assert "% sure" in told
    assert "no language model asked" in told
    assert "extract asks no language model" in told
    assert "[local]" not in told  # nothing fell back: extraction was asked for


def test_a_plan_says_once_why_others_are_out(ragctx, documents, questions) -> None:
    asked = questions({"question": "What is the notice period?"}, {"question": "What is the deposit?"})
    told = " ".join(ragctx("plan", asked, "-d", documents, "-r", "extractive", "--ranker", "extractive").out.split())
    assert told.count("no model here writes") == 1
    assert re.search(r"note: not [a-z, -]*compress, full, [a-z, -]*retrieve[a-z, -]*: no model here writes", told)
    assert "no language model asked, ranker reads" in told


def test_the_doctor_shows_the_ranker(ragctx, tmp_path) -> None:
    def found(ranker: str) -> dict[str, object]:
        done = ragctx("doctor", "-r", "scripted:echo", "--ranker", ranker, "--json")
        return next(finding for finding in done.json if str(finding["what"]).startswith("ranker"))

    packaged = found("extractive")
    assert packaged["ok"]
    assert all(word in str(packaged["detail"]) for word in ("version", "MB", "checksum"))
    assert found("none")["ok"]
    unknown = found("extractiv:x")
    assert not unknown["ok"]
    assert "extractive" in str(unknown["remedy"])
    (tmp_path / "empty").mkdir()
    damaged = found(f"extractive:{tmp_path / 'empty'}")
    assert not damaged["ok"]
    assert damaged["remedy"]


def test_the_doctor_shows_the_scorer(ragctx) -> None:
    def found(*options: str) -> dict[str, object]:
        done = ragctx("doctor", "-r", "scripted:echo", *options, "--json")
        return next(finding for finding in done.json if str(finding["what"]).startswith("scorer"))

    assert found()["what"] == "scorer scripted:echo"
    assert found("--scorer", "none")["ok"]
    wrong = found("--scorer", "extractive")
    assert not wrong["ok"]
    assert wrong["remedy"]
