"""Documents that cannot be read: told by name with a remedy when named, skipped and reported when in a folder."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest


def pdf(path, text: str | None = "The notice period is three months.", password: str = "") -> None:
    """A PDF of one page; without text it holds a drawing only."""
    from pypdf import PdfReader, PdfWriter
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(path))
    if text is None:
        canvas.rect(100, 100, 200, 200, fill=1)
    else:
        canvas.drawString(100, 700, text)
    canvas.save()
    if password:
        writer = PdfWriter(clone_from=PdfReader(path))
        writer.encrypt(password, algorithm="AES-256")
        writer.write(path)


def encrypted(path):
    pdf(path, password="secret")


def without_text(path):
    pdf(path, text=None)


def corrupt(path):
    pdf(path)
    path.write_bytes(path.read_bytes()[:200])


BAD = {
    "empty.txt": lambda path: path.write_bytes(b""),
    "binary.txt": lambda path: path.write_bytes(bytes(range(256)) * 40),
    "program.bin": lambda path: path.write_bytes(b"\x7fELF" + bytes(4000)),
    "corrupt.pdf": corrupt,
    "encrypted.pdf": encrypted,
    "scan.pdf": without_text,
    "corrupt.docx": lambda path: path.write_bytes(b"PK\x03\x04 not a zip"),
    "broken.jsonl": lambda path: path.write_text('{"text": \nnot json\n'),
}


@pytest.fixture(params=BAD)
def bad(request, tmp_path):
    path = tmp_path / request.param
    BAD[request.param](path)
    return path


def test_a_bad_file_named_directly(ragctx, bad, reader):
    done = ragctx("ask", "What is it?", "-d", bad, "-r", reader())
    assert done.code == 3
    assert done.out == ""
    assert bad.name in done.err
    assert done.err.startswith("error: cannot read ")
    assert ";" in done.err, "a remedy stands behind the reason"
    assert len(done.err.splitlines()) <= 4


def test_a_bad_file_in_a_folder_is_told_and_the_rest_answers(ragctx, bad, documents, reader, questions):
    shutil.copy(bad, documents)
    found = ragctx("index", "-d", documents)
    assert found.code == 0
    assert "2 documents" in found.out
    assert bad.name in "".join(found.out.split())
    problems = ragctx("index", "-d", documents, "--json").json["problems"]
    assert {p["source"].rpartition("/")[2].partition(",")[0] for p in problems} == {bad.name}
    assert all(problem["remedy"] for problem in problems)
    asked = questions({"question": "What is the notice period?"})
    assert bad.name in "".join(ragctx("plan", asked, "-d", documents, "-r", reader()).out.split())
    answered = ragctx("ask", "What is the notice period?", "-d", documents, "-r", reader())
    assert answered.code == 0
    assert bad.name in answered.err


def test_a_blank_file_is_a_document_without_text(ragctx, documents):
    (documents / "blank.txt").write_text(" \n\t\n")
    done = ragctx("index", "-d", documents)
    assert done.code == 0
    assert "blank.txt has no visible text" in done.out


def test_a_broken_record_is_told_and_the_others_are_read(ragctx, tmp_path, reader):
    (tmp_path / "records.jsonl").write_text('{"text": "The notice period is three months."}\n{"text": \n')
    done = ragctx("ask", "What is the notice period?", "-d", "records.jsonl", "-r", reader())
    assert done.code == 0
    assert "The notice period is three months." in done.out
    assert "records.jsonl" in done.err
    assert "line 2" in done.err


def test_many_bad_files_fit_on_a_screen(ragctx, documents, reader):
    for n in range(100):
        (documents / f"empty-{n}.txt").touch()
    done = ragctx("ask", "What is the notice period?", "-d", documents, "-r", reader())
    assert done.code == 0
    assert len(done.err.splitlines()) == 4
    assert "97 more" in done.err


@pytest.mark.parametrize("command", ["index", "ask"])
def test_a_path_that_is_not_there(ragctx, command, tmp_path, reader):
    arguments = ["q", "-r", reader()] if command == "ask" else []
    done = ragctx(command, *arguments, "-d", tmp_path / "no such folder")
    assert done.code == 3
    assert "no such folder" in done.err


def test_a_path_too_long_for_the_disk(ragctx, reader):
    done = ragctx("ask", "q", "-d", "x" * 5000, "-r", reader())
    assert done.code == 3
    assert "Traceback" not in done.err


def test_an_empty_folder(ragctx, tmp_path, reader):
    (tmp_path / "nothing").mkdir()
    done = ragctx("ask", "q", "-d", tmp_path / "nothing", "-r", reader())
    assert done.code == 3
    assert "nothing" in done.err


def test_a_folder_of_bad_files_only(ragctx, tmp_path, reader):
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "empty.txt").touch()
    done = ragctx("ask", "q", "-d", folder, "-r", reader())
    assert done.code == 3
    assert "empty.txt" in done.err


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1", "cp1252"])
def test_other_encodings_are_read_right(ragctx, tmp_path, reader, encoding):
    text = "Die Kündigungsfrist beträgt drei Monate. Die Miete ist am Ersten fällig. Gebühren für Schäden zahlt jeder."
    (tmp_path / "vertrag.txt").write_bytes(text.encode(encoding))
    done = ragctx(
        "ask", "Kündigungsfrist?", "-d", "vertrag.txt", "-r", reader('default = "Drei Monate. [1]"'), "--json"
    )
    assert done.code == 0
    assert "Kündigungsfrist beträgt" in done.json["citations"][0]["text"]


def test_duplicates_are_told_and_kept_apart(ragctx, documents, reader):
    shutil.copy(documents / "lease.md", documents / "lease copy.md")
    done = ragctx("ask", "What is the notice period?", "-d", documents, "-r", reader(), "--json")
    assert done.code == 0
    assert {c["document"] for c in done.json["coverage"]} >= {"lease.md", "policy.txt"}


@pytest.mark.parametrize(
    "name", ["a lease.md", "契約書.md", "Pröfung é.md", "it's; $(rm).md", "a\nb.md", "-d.md", "[red]x.md"]
)
def test_odd_names(ragctx, tmp_path, documents, reader, name):
    folder = tmp_path / "ödd földer"
    folder.mkdir()
    shutil.copy(documents / "lease.md", folder / name)
    done = ragctx("ask", "What is the notice period?", "-d", folder, "-r", reader(), "--json")
    assert done.code == 0
    assert done.json["citations"][0]["span"]["document"] == name
    assert ragctx("ask", "What is the notice period?", "-d", folder, "-r", reader()).code == 0


def test_names_that_are_no_text(finished, ragctx, tmp_path, documents, reader, questions):
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in (b"lease-\xff.md", b"lease-\xfe.md"):
        shutil.copy(documents / "lease.md", bytes(folder) + b"/" + name)
    (tmp_path / os.fsdecode(b"odd/empty-\xff.md")).touch()
    asked, read = questions({"question": "What is the notice period?"}), ("-d", folder, "-r", reader())
    done = finished("ask", "What is the notice period?", *read)
    assert done.code == 0
    assert "The notice period is three months." in done.out
    assert "empty-\\xff.md" in done.err
    saved = finished("ask", "What is the notice period?", *read, "--json", "--html", "a.html")
    assert saved.code == 0
    assert {c["document"] for c in saved.json["coverage"]} == {"lease-\\xff.md", "lease-\\xfe.md"}
    (tmp_path / "saved.json").write_text(saved.out, encoding="utf-8")
    assert ragctx("explain", "saved.json", "--json").json == saved.json
    assert "lease-\\xff.md" in (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "empty-\\xff.md" in ragctx("index", *read[:2], "--json").json["problems"][0]["source"]
    assert ragctx("plan", asked, *read, "--json").code == 0
    assert ragctx("batch", "run", asked, *read, "--job", "j.sqlite", "--json").json["answered"] == 1
    assert ragctx("explain", "j.sqlite", "--json").json["coverage"] == saved.json["coverage"]


def test_a_file_that_may_not_be_read(finished, documents, reader, tmp_path):
    secret = documents / "lease.md"
    secret.chmod(0)
    probe = subprocess.run(["cat", secret], capture_output=True, check=False)
    if probe.returncode == 0:
        pytest.skip("this user may read everything")
    done = finished("ask", "q", "-d", secret, "-r", reader())
    assert done.code == 3
    assert "permission" in done.err.lower()


def test_a_device_and_a_pipe_are_refused(ragctx, tmp_path, reader):
    os.mkfifo(tmp_path / "pipe.txt")
    for path in ("/dev/null", tmp_path / "pipe.txt"):
        done = ragctx("ask", "q", "-d", path, "-r", reader())
        assert done.code == 3, done.err
