"""`ragctx compress`: a file cut down, on the screen, as JSON and as a page."""

from __future__ import annotations


def test_what_is_left_and_how_much(ragctx, documents, tmp_path) -> None:
    file = documents / "lease.md"
    done = ragctx(
        "compress", file, "-q", "What is the notice?", "--budget", 12, "-c", "provence", "--ranker", "extractive",
        "--html", tmp_path / "page.html",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "notice" in done.out
    assert "budget 12" in " ".join(done.out.split())
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "<mark>" in page
    assert "<s>" in page
    assert "Lease of the boat house" in page


def test_as_json_and_with_what_was_dropped(ragctx, documents) -> None:
    asked = ("compress", documents, "-q", "What is the deposit?", "--budget", 14, "-c", "provence")
    found = ragctx(*asked, "--ranker", "extractive", "--json").json
    assert found["after"] <= 14 < found["before"]
    assert {document["name"] for document in found["documents"]} == {"lease.md", "policy.txt"}
    shown = ragctx(*asked, "--ranker", "extractive", "--dropped").out
    assert "Travel policy." in shown


def test_what_cannot_be(ragctx, documents) -> None:
    asked = ("compress", documents / "lease.md", "-q", "deposit?", "--budget", 14)
    unknown = ragctx(*asked, "-c", "provense")
    assert (unknown.code, "provence" in unknown.err) == (2, True)
    assert ragctx(*asked, "-c", "provence").code == 2, "no ranker here"
    assert ragctx(*asked, "--unit", "page").code == 2
    option = ragctx(*asked, "-c", "bm25-sentences:colour=red")
    assert (option.code, "colour" in option.err) == (2, True)
    assert "--compressor" in ragctx(*asked, "-c", "bm25-sentences:oops").err
    assert ragctx("compress", documents / "none.md", "-q", "deposit?", "--budget", 14).code == 3
