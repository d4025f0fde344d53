"""A router that is fitted to outcomes: it learns what is there to learn, and nothing where there is nothing."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from ragctx.errors import ConfigError, InputError
from ragctx.evaluation.bootstrap import Comparison
from ragctx.evaluation.calibration import Calibration, _verdict, calibrate
from ragctx.evaluation.outcomes import Asked, Cell, Matrix
from ragctx.routing import Policy
from ragctx.routing.fitted import Fitted

pytest.importorskip("sklearn")


def matrix(questions: int, *, signal: bool, seed: int = 1, readers: tuple[str, ...] = ("m",)) -> Matrix:
    """Long questions need everything, short ones are better retrieved; or chance alone says who is right."""
    draw = random.Random(seed)
    rows = []
    for at in range(questions):
        long = draw.random() < 0.5
        told = {
            "words": draw.gauss(20.0 if long else 8.0, 2.0),
            "noise": draw.random(),
            "document_tokens": 2000.0,
        }
        for reader in readers:
            right = (0.9, 0.2) if long else (0.3, 0.9)
            odds = right if signal else (0.5, 0.5)
            full, part = (float(draw.random() < p) for p in odds)
            cells = {"full": Cell(full, 2100, 4.0, 2000.0, 2.0), "retrieve": Cell(part, 360, 1.0, 300.0)}
            rows.append(Asked(f"q{at}", f"d{at // 4}", "any", reader, told, cells))
    return Matrix(tuple(rows))


@pytest.fixture(scope="module")
def learnt() -> Calibration:
    return calibrate(matrix(240, signal=True), seed=3, data=("own:mine.jsonl",), date="2026-11-23", command="here")


def test_what_is_there_is_learnt_and_beats_every_strategy_out_of_fold(learnt: Calibration) -> None:
    assert learnt.routes
    assert learnt.gain.low > 0
    assert all(learnt.routed.score > arm.score + 0.15 for arm in learnt.arms)
    assert learnt.routed.score > 0.8
    assert learnt.routed.worth <= learnt.oracle.worth
    assert learnt.error < 0.08
    scores = learnt.fitted.predictors.scores
    short, long = (scores({"words": words}, "m") for words in (8.0, 20.0))
    assert short["retrieve"] > short["full"] + 0.3
    assert long["full"] > long["retrieve"] + 0.3


@pytest.mark.parametrize("seed", range(4))
def test_noise_falls_back_to_the_best_single_strategy(seed: int) -> None:
    found = calibrate(matrix(160, signal=False, seed=seed), seed=seed)
    assert not found.routes
    assert "may be luck" in found.verdict
    told = [{"words": float(words), "noise": words / 40} for words in range(1, 40, 6)]
    predicted = [found.fitted.predictors.scores(signals, "m") for signals in told]
    assert all(one == predicted[0] for one in predicted)
    assert not found.fitted.predictors.regressors
    best = max(predicted[0], key=lambda name: predicted[0][name] - found.lam * (1.0 if name == "full" else 0.17))
    assert best == found.arms[0].name


def test_a_loss_is_not_called_luck() -> None:
    lost, luck = (Comparison(-0.08, -0.16, high, 0.01, 54, 50) for high in (-0.01, 0.02))
    assert "so signals mislead here: the policy keeps mean scores" in _verdict(lost, "full", 54, routes=False)
    assert "which may be luck" in _verdict(luck, "full", 54, routes=False)


def test_a_few_dozen_rows_do_and_are_called_few() -> None:
    found = calibrate(matrix(40, signal=True))
    assert "40 questions are few" in found.verdict
    assert found.notes[0].startswith("40 questions")
    assert Fitted.from_json(found.fitted.to_json()) == found.fitted


def test_readers_that_differ_are_routed_apart_and_a_stranger_by_their_mean() -> None:
    draw, rows = random.Random(5), []
    for row in matrix(120, signal=False, readers=("able", "weak")).rows:
        odds = (0.9, 0.5) if row.reader == "able" else (0.1, 0.6)
        cells = {
            name: replace(cell, score=float(draw.random() < p))
            for (name, cell), p in zip(row.cells.items(), odds, strict=True)
        }
        rows.append(replace(row, cells=cells))
    found = calibrate(Matrix(tuple(rows)))
    assert found.routes
    typical = found.fitted.predictors
    able, weak, stranger = (typical.scores({}, reader) for reader in ("able", "weak", "new"))
    assert able["full"] > able["retrieve"] + 0.15
    assert weak["retrieve"] > weak["full"] + 0.15
    assert stranger["full"] == pytest.approx(0.5, abs=0.1)


def test_two_dozen_questions_are_enough_to_see_much() -> None:
    found = calibrate(matrix(24, signal=True, seed=2))
    assert found.questions == 24
    assert "24 questions are few" in found.verdict


def test_one_document_is_said_to_be_one() -> None:
    rows = tuple(replace(row, group="the lease") for row in matrix(60, signal=True).rows)
    found = calibrate(Matrix(rows))
    assert found.groups == 1
    assert any("say nothing of others" in note for note in found.notes)


def test_corrections_are_medians_of_actual_over_plan(learnt: Calibration) -> None:
    full, part = (learnt.fitted.corrections[name] for name in ("full", "retrieve"))
    assert (full.tokens, full.seconds) == (pytest.approx(1.05), 2.0)
    assert (part.tokens, part.seconds) == (pytest.approx(1.2), 1.0)


def test_a_strategy_that_could_not_read_some_is_fitted_on_the_others() -> None:
    rows = matrix(120, signal=True).rows
    some = tuple(replace(r, cells={"retrieve": r.cells["retrieve"]}) if at % 3 == 0 else r for at, r in enumerate(rows))
    found = calibrate(Matrix(some))
    assert set(found.fitted.strategies) == {"full", "retrieve"}


def test_the_policy_file_says_what_it_stands_on(learnt: Calibration, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(learnt.fitted.to_json(), encoding="utf-8")
    policy = Policy.load(path)
    assert policy.fitted == learnt.fitted
    assert policy.label.endswith(learnt.fitted.digest[:12])
    origin = learnt.fitted.origin
    assert (origin.rows, origin.groups, origin.readers, origin.date) == (240, 60, ("m",), "2026-11-23")
    raw = json.loads(path.read_text("utf-8"))
    raw["policy"]["lam"] = 0.5
    path.write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(ConfigError, match="changed by hand"):
        Policy.load(path)
    path.write_text(replace(learnt.fitted, base="f" * 64).to_json(), encoding="utf-8")
    with pytest.raises(ConfigError, match="was fitted over the policy ffffff"):
        Policy.load(path)


def test_outcomes_are_written_and_read_back(tmp_path: Path) -> None:
    held = matrix(30, signal=True, readers=("m", "ñ"))
    held.write(tmp_path / "o.jsonl")
    assert Matrix.read(tmp_path / "o.jsonl") == held


@pytest.mark.parametrize(("changes", "said"), [
    ({"cells": {"full": Cell(1.5, 10)}}, r"row 3 \(q2\): full scored 1.5"),
    ({"cells": {"full": Cell(0.5, float("nan"))}}, r"row 3 \(q2\): full has costs"),
    ({"question": "q1"}, r"row 2 \(q1\): the question is there twice"),
])  # fmt: skip
def test_bad_rows_are_named(changes: dict[str, object], said: str) -> None:
    rows = list(matrix(30, signal=True).rows)
    rows[2] = replace(rows[2], **changes)
    with pytest.raises(InputError, match=said):
        calibrate(Matrix(tuple(rows)))


def test_too_little_to_fit(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="10 questions are too few"):
        calibrate(matrix(10, signal=True))
    alone = tuple(replace(row, cells={"full": row.cells["full"]}) for row in matrix(30, signal=True).rows)
    with pytest.raises(ConfigError, match="two strategies"):
        calibrate(Matrix(alone))
    with pytest.raises(ConfigError, match="floor"):
        calibrate(matrix(30, signal=True), floor=2.0)
    with pytest.raises(InputError, match="no row"):
        calibrate(Matrix(()))
    (tmp_path / "o.jsonl").write_text('{"question": 1}\n', encoding="utf-8")
    with pytest.raises(InputError, match="line 1"):
        Matrix.read(tmp_path / "o.jsonl")
