"""Question files: every format, every kind of bad line, and what is told about them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragctx.errors import BadQuestion, InputError
from ragctx.questions import Questions
from ragctx.types import Budget, Question, Turn, Where


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def test_jsonl_with_every_field(tmp_path: Path) -> None:
    row = {
        "id": 7,
        "question": "And the second?",
        "answers": ["B", "b"],
        "kind": "single_fact",
        "answerable": True,
        "history": [{"speaker": "user", "text": "Which is first?"}, {"role": "assistant", "content": "A."}],
        "where": {"documents": ["*.pdf"], "metadata": {"year": 2020}, "pages": [1, 3]},
        "instructions": "Be brief.",
        "budget": {"tokens": 900, "calls": 2},
        "metadata": {"level": 2},
        "source": "exam",
    }
    [question] = Questions.read(write(tmp_path / "q.jsonl", json.dumps(row) + "\n\n"))
    assert question == Question(
        "And the second?",
        id="7",
        answers=("B", "b"),
        kind="single_fact",
        answerable=True,
        history=(Turn("user", "Which is first?"), Turn("assistant", "A.")),
        where=Where(documents=("*.pdf",), metadata={"year": 2020}, pages=(1, 3)),
        instructions="Be brief.",
        budget=Budget(tokens=900, calls=2),
        metadata={"source": "exam", "level": 2},
    )


def test_the_same_questions_in_every_format(tmp_path: Path) -> None:
    texts = ["What is the rent?", "Größe der Wohnung, in m²?", "通知期间是多久？"]
    rows = [{"question": text} for text in texts]
    files = [
        write(tmp_path / "a.txt", "\n".join(texts)),
        write(tmp_path / "b.txt", "\r\n\r\n".join(texts) + "\r\n", "utf-8-sig"),
        write(tmp_path / "c.jsonl", "\n".join(map(json.dumps, rows))),
        write(tmp_path / "d.jsonl", "\r\n".join(json.dumps(text) for text in texts), "utf-8-sig"),
        write(tmp_path / "e.json", json.dumps(rows)),
        write(tmp_path / "f.json", json.dumps({"questions": texts}), "utf-8-sig"),
        write(tmp_path / "g.csv", "question\n" + "\n".join(f'"{text}"' for text in texts), "utf-8-sig"),
        write(tmp_path / "h.tsv", "kind\ttext\n" + "\n".join(f"\t{text}" for text in texts)),
        write(tmp_path / "i.txt", "\n".join(texts), "utf-16"),
    ]
    for path in files:
        assert list(Questions.read(path)) == [Question(text) for text in texts], path.name


def test_csv_cells(tmp_path: Path) -> None:
    path = write(
        tmp_path / "q.csv",
        'id;question;answers;answerable;page\n1;"Two\nlines?";"[""a"", ""b""]";false;4\n2;Next?;plain;;\n',
    )
    first, second = Questions.read(path)
    assert (first.id, first.text, first.answers, first.answerable) == ("1", "Two\nlines?", ("a", "b"), False)
    assert first.metadata == {"page": "4"}
    assert (second.answers, second.answerable, dict(second.metadata)) == (("plain",), None, {})


BAD_LINES = [
    ('{"question": "cut', "not JSON"),
    ("[" * 100_000, "nested too deep"),
    ("17", "not int"),
    ("null", "not NoneType"),
    ('{"query": "Where?"}', "has no 'question' (it has 'query')"),
    ('{"question": "  "}', "empty"),
    ('{"question": ["a"]}', "needs text"),
    ('{"question": "A?", "text": "B?"}', "both"),
    ('{"question": "A?", "id": true}', "id must be"),
    ('{"question": "A?", "answers": {"a": 1}}', "answers"),
    ('{"question": "A?", "answerable": "perhaps"}', "answerable"),
    ('{"question": "A?", "history": "hello"}', "history"),
    ('{"question": "A?", "history": [{"speaker": "cat", "text": "x"}]}', "speaker"),
    ('{"question": "A?", "where": {"folder": "x"}}', "where"),
    ('{"question": "A?", "where": {"pages": 3}}', "pages"),
    ('{"question": "A?", "where": {"metadata": 3}}', "metadata"),
    ('{"question": "A?", "budget": "much"}', "budget"),
    ('{"question": "A?", "budget": {"tokens": "9"}}', "numbers"),
    ('{"question": "A?", "contexts": [1]}', "unknown field 'contexts'"),
    ('{"question": "half \\ud83d"}', "surrogate"),
    ('{"question": "A?", "id": "one"}', "id 'one' was used on line 1"),
]


@pytest.mark.parametrize(("line", "told"), BAD_LINES, ids=[told for _, told in BAD_LINES])
def test_a_bad_line_is_told_with_number_and_reason(tmp_path: Path, line: str, told: str) -> None:
    path = write(tmp_path / "q.jsonl", '{"id": "one", "question": "Fine?"}\n\n' + line + '\n"Also fine?"\n')
    with pytest.raises(BadQuestion) as caught:
        Questions.read(path)
    message = str(caught.value)
    assert "1 bad line: line 3: " in message
    assert told in message
    assert "strict=False to keep the 2 good ones" in message
    kept = Questions.read(path, strict=False)
    assert [question.text for question in kept] == ["Fine?", "Also fine?"]
    assert [problem.line for problem in kept.problems] == [3]


def test_all_bad_lines_are_counted_and_ten_are_told(tmp_path: Path) -> None:
    lines = ["{" if number % 2 else f'"Question {number}?"' for number in range(1, 41)]
    with pytest.raises(BadQuestion) as caught:
        Questions.read(write(tmp_path / "q.jsonl", "\n".join(lines)))
    message = str(caught.value)
    assert "20 bad lines" in message
    assert "and 10 more" in message
    assert message.count("line ") == 10
    assert "line 19:" in message
    assert "line 21:" not in message
    assert caught.value.exit_code == 3


def test_csv_troubles_have_line_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "q.csv", 'id,question\n1,"A\nB?"\n2,Yes, or no?\n,\n1,Again?\n')
    kept = Questions.read(path, strict=False)
    assert [question.text for question in kept] == ["A\nB?"]
    assert [problem.line for problem in kept.problems] == [4, 5, 6]
    assert "more cells" in kept.problems[0].why
    with pytest.raises(BadQuestion, match="no column 'question'"):
        Questions.read(write(tmp_path / "no.csv", "query,answer\nA?,b\n"))


@pytest.mark.parametrize("name", ["empty.jsonl", "empty.txt", "empty.csv", "empty.json"])
def test_an_empty_file_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadQuestion):
        Questions.read(write(tmp_path / name, ""))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        Questions.read(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match="not a question file"):
        Questions.read(write(tmp_path / "q.xlsx", "x"))
    (tmp_path / "bytes.txt").write_bytes(b"Fine?\n\xff\xfa?\n")
    with pytest.raises(BadQuestion, match="line 2: not UTF-8"):
        Questions.read(tmp_path / "bytes.txt")


def test_the_same_text_twice_gets_numbered_ids() -> None:
    asked = Questions.of(["Why?", "Why?", Question("Why?"), {"question": "Why?", "id": "mine"}])
    base = Question("Why?").id
    assert [question.id for question in asked] == [base, f"{base}-2", f"{base}-3", "mine"]
    with pytest.raises(BadQuestion, match="line 2: id 'x' was used on line 1"):
        Questions.of([Question("A?", id="x"), Question("B?", id="x")])


def test_it_is_a_sequence() -> None:
    asked = Questions.of(["A?", "B?", "C?"])
    assert len(asked) == 3
    assert asked[-1].text == "C?"
    assert [question.text for question in asked[1:]] == ["B?", "C?"]
    assert asked[0] in asked
    assert Questions.of(asked) == asked


line = st.text(st.characters(exclude_characters="\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029", codec="utf-8"), min_size=1)


@given(st.lists(line.filter(str.strip), min_size=1, max_size=20))
def test_any_text_survives_json_lines(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.mktemp("q") / "q.jsonl"
    path.write_text("\n".join(json.dumps(text, ensure_ascii=False) for text in texts), encoding="utf-8")
    asked = Questions.read(path)
    assert [question.text for question in asked] == texts
    assert len({question.id for question in asked}) == len(texts)


@given(st.lists(st.text(st.characters(codec="utf-8")), max_size=20))
def test_nothing_a_file_may_hold_breaks_reading(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    for name in ("q.jsonl", "q.json", "q.csv", "q.txt"):
        path = tmp_path_factory.mktemp("q") / name
        path.write_bytes("\n".join(lines).encode())
        try:
            read = Questions.read(path, strict=False)
        except InputError:
            continue
        assert all(question.text.strip() for question in read)


def test_one_question_says_plainly_what_is_wrong() -> None:
    asked = Question("What is the rent?", id="r")
    assert Questions.one(asked) is asked
    for value, told in (
        ("  ", "^the question is empty"),
        ("half \ud83d", "surrogate"),
        (7, "not int"),
        ({}, "'question'"),
    ):
        with pytest.raises(BadQuestion, match=told):
            Questions.one(value)  # type: ignore[arg-type]
