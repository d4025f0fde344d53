"""Stages that follow on each other: negatives a model falls for, averaged weights to begin with, the whole recipe."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from ragctx.errors import ConfigError

torch = pytest.importorskip("torch", reason="needs the extra local")


def passages(count: int) -> list[object]:
    from training.reader.examples import Passage

    return [Passage(f"a{n}", "", f"text {n}") for n in range(count)]


def weighing(values: dict[str, float], asked: list[str]) -> object:
    def weigh(question: str, weighed: Sequence[object]) -> list[float]:
        asked.append(question)
        return [values[passage.text] for passage in weighed]

    return weigh


def test_the_model_puts_negatives_in_order_and_drops_those_it_likes_better_than_gold(tmp_path: Path) -> None:
    from training.reader.examples import Example
    from training.reader.hardest import hardest

    gold, *wrong = passages(6)
    example = Example("1", "s", "Who?", gold, negatives=tuple(wrong))
    values = {"text 0": 0.7, "text 1": 0.1, "text 2": 0.9, "text 3": 0.5, "text 4": 0.7}
    [after] = hardest([example], weighing(values, []), tmp_path / "h.jsonl")
    assert [p.text for p in after.negatives] == ["text 4", "text 3", "text 1", "text 5"]  # 5 is beyond the depth


def test_weighing_goes_on_behind_the_last_whole_line(tmp_path: Path) -> None:
    from training.reader.examples import Example
    from training.reader.hardest import hardest

    gold, *wrong = passages(4)
    examples = [Example(str(n), "s", f"Who is {n}?", gold, negatives=tuple(wrong)) for n in range(3)]
    values = {"text 0": 0.8, "text 1": 0.12345, "text 2": 0.12346, "text 3": 0.6}
    asked: list[str] = []
    whole = hardest(examples, weighing(values, asked), tmp_path / "h.jsonl")
    assert len(asked) == 3
    lines = (tmp_path / "h.jsonl").read_text().splitlines()
    (tmp_path / "h.jsonl").write_text(lines[0] + "\n" + lines[1][:7])  # killed while the second was written
    asked.clear()
    assert hardest(examples, weighing(values, asked), tmp_path / "h.jsonl") == whole
    assert asked == ["Who is 1?", "Who is 2?"]
    with pytest.raises(ConfigError, match="weighs 3 questions, not these 1"):
        hardest(examples[:1], weighing(values, []), tmp_path / "h.jsonl")


def test_a_run_without_questions_is_refused(data: Path, encoder: Path, tmp_path: Path) -> None:
    from training.reader.__main__ import main

    given = ["--data", str(data), "--encoder", str(encoder), "--out", str(tmp_path), "--threads", "1"]
    with pytest.raises(ConfigError, match="--epochs or --cloze"):
        main([*given, "--limit", "4", "--epochs", "0", "--cloze", "0"])


def test_one_command_runs_all_stages_and_goes_on_where_it_was(data: Path, encoder: Path, tmp_path: Path) -> None:
    from training.reader.__main__ import averaged
    from training.reader.recipe import STAGES, main

    given = ["--data", str(data), "--encoder", str(encoder), "--out", str(tmp_path), "--threads", "1", "--limit", "24"]
    main(given)
    card = json.loads((tmp_path / "weights" / "card.json").read_text())
    first, second, third, fourth, fifth = card["runs"]
    assert (first["questions"], first["start"], int(first["made up"]) > 0) == ("0", "", True)
    assert (second["questions"], second["made up"], second["hardest"]) == ("24", "0", "")
    assert (third["negatives"], bool(third["start"]), bool(third["hardest"])) == ("2", True, True)
    assert (fourth["start"] != third["start"], fourth["hardest"] != third["hardest"]) == (True, True)
    assert (tmp_path / "4-hardest" / "hardest.jsonl").read_text().count("\n") == 24
    assert "the mean" in fifth["stage"]
    assert (tmp_path / "weights" / "reader.onnx").read_bytes() == (
        tmp_path / "5-mean" / "weights" / "reader.onnx"
    ).read_bytes()
    three, four, mean = (
        torch.load(tmp_path / name / "reader.pt", weights_only=True) for name in ("3-hardest", "4-hardest", "5-mean")
    )
    learnt = [name for name, weight in mean.items() if weight.is_floating_point()]
    assert all(torch.allclose(mean[name], (three[name] + four[name]) / 2) for name in learnt)
    assert any(not torch.equal(three[name], four[name]) for name in learnt)

    begun = averaged(tmp_path / "1-made-up" / "checkpoint.pt")  # what stage 2 began with is what stage 1 ended with
    ended = torch.load(tmp_path / "1-made-up" / "reader.pt", weights_only=True)
    assert begun.keys() == ended.keys()
    assert all(torch.equal(begun[name], ended[name]) for name in ended)

    times = {name: (tmp_path / name / "weights" / "card.json").stat().st_mtime_ns for name in STAGES}
    (tmp_path / "4-hardest" / "weights" / "card.json").unlink()
    main(given)
    assert (tmp_path / "4-hardest" / "weights" / "card.json").exists()
    assert (tmp_path / "2-real" / "weights" / "card.json").stat().st_mtime_ns == times["2-real"]


def test_a_run_that_begins_elsewhere_is_another_run(data: Path, encoder: Path, tmp_path: Path) -> None:
    from training.reader.__main__ import earlier, main

    def given(out: str) -> list[str]:
        common = ["--data", str(data), "--encoder", str(encoder), "--threads", "1", "--limit", "36", "--cloze", "0"]
        return [*common, "--epochs", "1", "--out", str(tmp_path / out)]

    main(given("a"))
    main([*given("b"), "--start", str(tmp_path / "a" / "checkpoint.pt")])
    with pytest.raises(ConfigError, match="other settings: start"):
        main([*given("b"), "--start", str(tmp_path / "b" / "checkpoint.pt")])
    assert [bool(run["start"]) for run in earlier(tmp_path / "b" / "checkpoint.pt")] == [False, True]
    assert "unknown" in earlier(tmp_path / "nowhere" / "checkpoint.pt")[0]


def test_files_are_made_anew_and_the_card_tells_the_runs_that_are_named(
    data: Path, encoder: Path, tmp_path: Path
) -> None:
    from training.reader.model import Reader
    from training.reader.package import main

    torch.manual_seed(0)
    torch.save(Reader.over(encoder).state_dict(), tmp_path / "reader.pt")
    given = ["--data", str(data), "--encoder", str(encoder), "--out", str(tmp_path)]
    with pytest.raises(ConfigError, match="--runs"):
        main(given)
    for name in ("one", "two"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"told": name}))
    main([*given, "--runs", str(tmp_path / "one.json"), str(tmp_path / "two.json")])
    assert json.loads((tmp_path / "weights" / "card.json").read_text())["runs"] == [{"told": "one"}, {"told": "two"}]


def test_runs_of_different_models_are_not_averaged() -> None:
    from training.reader.average import mean

    with pytest.raises(ConfigError, match="same encoder"):
        mean([{"w": torch.ones(2)}, {"w": torch.ones(3)}])
