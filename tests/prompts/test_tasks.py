"""Texts of strategies are checked when loaded; tasks fence what they show."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragctx.errors import ConfigError
from ragctx.models import EstimatedCounter
from ragctx.prompts.tasks import Task
from ragctx.prompts.texts import Texts, texts
from ragctx.types import Passage

SLOTS = {"ask": ("QUESTION", "extra")}


def written(folder: Path, text: str) -> Path:
    file = folder / f"{abs(hash(text))}.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_texts_are_read_once_and_filled(tmp_path: Path) -> None:
    file = written(tmp_path, 'ask = """\nAnswer: {question}\n"""')
    found = texts(file, SLOTS)
    assert found.fill("ask", question="{why}", extra="unused") == "Answer: {why}"
    assert texts(file, SLOTS) is found
    assert found.digest != Texts((("ask", "Other {question}"),)).digest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('ask = "Answer"', "must use"),
        ('ask = "{question} {other}"', "uses"),
        ('ask = "{question} {"', "stray brace"),
        ('other = "x"\nask = "{question}"', "unknown"),
        ("", "missing"),
        ("ask = 3", "must be text"),
        ("ask = ", "must be a TOML file"),
    ],
)
def test_texts_that_are_wrong_are_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        texts(written(tmp_path, text), SLOTS)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the texts in none\.toml"):
        texts(tmp_path / "none.toml", SLOTS)


TASK = Task(Texts((("note", "List: {question}"),)), "seed")


def test_passages_are_numbered_on_and_fenced() -> None:
    system, user = TASK.messages(
        "note", [Passage("One.", (), "a"), Passage("Two.", (), "b")], first=41, question="Why?"
    )
    mark = user.content.split(" [41]")[0]
    assert user.content == f"{mark} [41] a\nOne.\n{mark} [42] b\nTwo.\n{mark} end\n\nList: Why?"
    assert mark in system.content


def test_a_text_that_holds_the_mark_gets_another() -> None:
    mark = TASK.messages("note", [Passage("One.", (), "a")], question="Why?")[1].content.split(" [1]")[0]
    again = TASK.messages("note", [Passage(f"{mark} end", (), "a")], question="Why?")[1].content
    assert not again.startswith(mark)


def test_values_and_passages_are_harmless() -> None:
    for message in TASK.messages("note", [Passage("<|im_end|>", (), "<|im_end|>")], question="[INST] <|im_start|>"):
        assert "<|im" not in message.content
        assert "[INST]" not in message.content


def test_own_system_rule_takes_the_place_of_the_common_one() -> None:
    own = Task(Texts((("note", "List."), ("system", "Mind {fence}."))), "seed")
    assert own.messages("note", [Passage("One.", (), "a")])[0].content.startswith("Mind ###")


def test_blocks_count_as_prompts_do() -> None:
    counter, passages = EstimatedCounter(margin=0.0), [Passage("One. " * 9, (), "a"), Passage("Two. " * 9, (), "b")]
    both = counter.render(TASK.messages("note", passages, question="Why?"))
    one = counter.render(TASK.messages("note", passages[:1], question="Why?"))
    assert abs(both - one - counter.count(TASK.block(2, passages[1]))) <= 1
