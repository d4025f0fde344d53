"""A short training on made-up towns: the loss falls, what is measured gets better, and nothing depends on luck."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch


def state(reader: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in reader.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_loss_falls_and_the_measures_rise(trainer: Callable[..., object], data: Path, tmp_path: Path) -> None:
    from training.reader.negatives import mine
    from training.reader.scores import keeping, looker, reading
    from training.reader.sets import read

    made = trainer(tmp_path, epochs=8, encoder_rate=3e-3)
    test = [example for example in mine(read(data)) if example.part == "test"]
    assert len(test) >= 20

    def measured(reader: torch.nn.Module) -> dict[str, float]:
        look = looker(reader, made._tokenizer)
        return {**reading(test, look), **keeping(test, look, shares=(0.5,))}

    before = measured(made.reader)
    after = measured(made.run())
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["window"] for row in log] == list(range(made._plan.windows()))
    assert all(log[-1][part] < 0.7 * log[0][part] for part in ("span", "keep")), (log[0], log[-1])
    assert after["f1"] > before["f1"] + 0.1, (before, after)
    assert after["em"] > before["em"] + 0.1, (before, after)


def test_the_same_seed_gives_the_same_weights(trainer: Callable[..., object], tmp_path: Path) -> None:
    runs = [state(trainer(folder(tmp_path, name), seed=seed).run()) for name, seed in [("a", 3), ("b", 3), ("c", 4)]]
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


@pytest.mark.parametrize("kill_at", [1, 2, 3])
def test_killed_in_a_window_and_resumed_gives_the_same_weights(
    trainer: Callable[..., object], tmp_path: Path, kill_at: int
) -> None:
    whole = trainer(folder(tmp_path, "whole"), seed=3)
    averaged = state(whole.run())

    broken = trainer(folder(tmp_path, "broken"), seed=3)
    steps, step = 0, broken._step

    def killed(groups: list[object]) -> dict[str, float]:
        nonlocal steps
        steps += 1
        if steps == 4 * kill_at + 3:  # in the middle of a window: what it did since the checkpoint is lost
            raise KeyboardInterrupt
        return step(groups)

    broken._step = killed
    with pytest.raises(KeyboardInterrupt):
        broken.run()
    torch.manual_seed(99)
    resumed = trainer(tmp_path / "broken", seed=3)
    with torch.no_grad():  # what it begins with must not matter
        for parameter in resumed.reader.parameters():
            parameter.add_(1)
    assert same(state(resumed.run()), averaged)
    assert same(state(resumed.reader), state(whole.reader))
    log = [json.loads(line)["window"] for line in (tmp_path / "broken" / "log.jsonl").read_text().splitlines()]
    assert log == list(range(whole._plan.windows()))


def test_a_finished_run_is_not_trained_further(trainer: Callable[..., object], tmp_path: Path) -> None:
    first = state(trainer(tmp_path, seed=3).run())
    assert same(state(trainer(tmp_path, seed=3).run()), first)


def test_a_torn_checkpoint_is_never_seen(trainer: Callable[..., object], tmp_path: Path) -> None:
    made = trainer(tmp_path, seed=3)
    made.run()
    (tmp_path / "checkpoint.partial").write_bytes(b"half")
    assert same(state(trainer(tmp_path, seed=3).run()), state(made.average.module))


def test_word_embeddings_stay(trainer: Callable[..., object], tmp_path: Path) -> None:
    made = trainer(tmp_path, seed=3)
    before = made.reader.encoder.get_input_embeddings().weight.clone()
    trained = made.run()
    assert torch.equal(before, trained.encoder.get_input_embeddings().weight)


def folder(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir()
    return made
