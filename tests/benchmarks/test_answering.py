"""The whole product over documents of a data set: what is left out, what counts as a fact, other thresholds."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT)]

import answering  # noqa: E402

from ragctx.evaluation.scoring import Score  # noqa: E402
from training.reader.examples import Example, Passage  # noqa: E402


def passage(text: str, *, gone: bool, article: str = "a") -> Passage:
    """A passage whose text is drawn on until it is left out, or is not."""
    tries = (Passage(article, article.upper(), f"{text} Number {number}.") for number in range(100))
    return next(one for one in tries if answering.removed(one) is gone)


def example(held: Passage, answer: str, name: str = "1") -> Example:
    start = held.text.index(answer)
    return Example(name, answering.WIKI, f"Who is {name}?", held, ((start, start + len(answer)),))


def row(
    *, answerable: bool, stretch_p: float, sentence_p: float, stretch: bool = True, sentence: bool = False
) -> object:
    return answering.Row(
        "1", "Who?", ("Ada",), answerable, "Ada", stretch_p, Score(correct=stretch), Score(correct=stretch), "Ada",
        stretch_p, Score(correct=sentence), "Ada is.", sentence_p,
    )  # fmt: skip


def test_a_passage_that_is_left_out_is_in_no_document_and_its_question_no_fact() -> None:
    here, gone = passage("Ada rules.", gone=False), passage("Bo serves.", gone=True)
    examples = [example(here, "Ada", "1"), example(gone, "Bo", "2")]
    [document] = answering.documents(examples)
    assert here.text in document.text[:]
    assert "Bo" not in document.text[:]
    assert [case.removed for case in answering.cases(examples)] == [False, True]


def test_a_question_whose_article_says_the_answer_elsewhere_too_is_not_asked() -> None:
    gone, other = passage("Bo serves.", gone=True), passage("Men call him Bo today.", gone=False)
    far = passage("Bo is far away.", gone=False, article="b")
    assert answering.cases([example(gone, "Bo", "2"), example(other, "Men", "3")])[0].question.text == "Who is 3?"
    assert answering.cases([example(gone, "Bo", "2"), example(far, "far", "3")])[0].removed  # another article's Bo


def test_as_many_facts_as_questions_without_an_answer() -> None:
    facts = [example(passage(f"Ada{n} rules.", gone=False), f"Ada{n}", f"f{n}") for n in range(9)]
    others = [example(passage(f"Bo{n} serves.", gone=True), f"Bo{n}", f"u{n}") for n in range(5)]
    asked = answering.balanced(answering.cases([*facts, *others]), 3)
    assert [case.removed for case in asked] == [False] * 3 + [True] * 3
    assert asked == answering.balanced(answering.cases([*facts, *others]), 3)


def test_other_thresholds_take_the_stretch_then_the_sentence_then_nothing() -> None:
    made = [
        row(answerable=True, stretch_p=0.6, sentence_p=0.9, stretch=True),
        row(answerable=False, stretch_p=0.3, sentence_p=0.2),
    ]
    assert answering.at(made, 0.5, 0.5) == {
        "sure": 0.5, "sentence": 0.5, "right": 1.0, "facts_declined": 0.0, "declined": 1.0,
    }  # fmt: skip
    assert answering.at(made, 0.7, 0.5)["right"] == 0  # the sentence is wrong
    assert answering.at(made, 0.7, 0.95)["facts_declined"] == 1
    assert answering.at(made, 0.3, 0.95)["declined"] == 0
    best = answering.grid({"s": made})[0]
    assert (best["right"], best["declined"], best["facts_declined"]) == (1, 1, 0)
    assert 0.3 < best["sure"] <= 0.6


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "town.txt").write_text("The bridge of Tordale was built in 1641. Its mayor is Ada Roke.")
    rows = [
        {"question": "When was the bridge of Tordale built?", "answers": ["1641"], "answerable": True},
        {"question": "Who is the mayor of Tordale?", "answers": ["Ada Roke"], "answerable": True},
        {"question": "How deep is the lake of Hasford?", "answerable": False},
    ]
    asked = tmp_path / "asked.jsonl"
    asked.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ["--file", str(asked), "--documents", str(folder), "--threads", "1", "--json"]


def test_the_grid_tells_what_the_strategy_does(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for sure, sentence in [("0.01", "1.0"), ("0.9", "0.5"), ("1.0", "1.0")]:
        told = tmp_path / "rows.jsonl"
        answering.main([*files, "--sure", sure, "--sentence", sentence, "--rows", str(told)])
        [figures] = json.loads(capsys.readouterr().out)["by_set"].values()
        made = [json.loads(line) for line in told.read_text().splitlines()]
        scores = ("score", "stretch", "sentence")
        rows = [
            answering.Row(**{k: Score(**v) if k in scores else v for k, v in each.items() if k != "set"})
            for each in made
        ]
        again = answering.at(rows, float(sure), float(sentence))
        assert (figures["facts"], figures["unanswerable"]) == (2, 1)
        assert {name: figures[name] for name in ("right", "facts_declined", "declined")} == {
            name: again[name] for name in ("right", "facts_declined", "declined")
        }


def test_thresholds_are_not_chosen_on_the_test_part(data_of_towns: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = {}
    for part in ("dev", "test"):
        answering.main(["--data", str(data_of_towns), "--part", part, "--questions", "1", "--threads", "1", "--json"])
        told[part] = json.loads(capsys.readouterr().out)
    assert told["dev"]["by_set"]
    assert "grid" in told["dev"]
    assert told["test"]["by_set"]
    assert "grid" not in told["test"]


@pytest.fixture
def data_of_towns(tmp_path: Path) -> Path:
    """A data folder whose articles fall into every part."""
    (tmp_path / answering.WIKI).mkdir()
    rows = []
    for number in range(60):
        text = f"The mayor of Town {number} is Ada Roke{number}."
        context = {"title": f"Town {number}", "text": text}
        asked = {"question": f"Who is the mayor of Town {number}?", "answers": [f"Ada Roke{number}"]}
        rows.append({"id": f"{number}", **asked, "contexts": [context], "group": f"{number}"})
    (tmp_path / answering.WIKI / "normalized.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path
