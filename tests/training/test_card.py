"""The model card as a page: every set with its licence, every run, every figure, every limit."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def card() -> dict[str, Any]:
    from training.reader.card import LIMITS
    from training.reader.sets import SOURCES

    return {
        "name": "extractive", "version": "1", "made": "2026-01-02", "encoder": "an encoder", "licence": "Apache-2.0",
        "sha256": "ab" * 32, "longest": 288, "width": 384, "limits": list(LIMITS),
        "trained_on": [source.name for source in SOURCES if source.trained],
        "runs": [{"stage": "made up", "seed": "0"}, {"stage": "real", "seed": "1"}],
        "dev": {"reading": {"f1": 0.75, "n": 40}},
    }  # fmt: skip


def test_every_set_that_is_trained_on_has_its_licence_told(card: dict[str, Any]) -> None:
    from training.reader.card import LICENCES, described

    page = described(card)
    assert set(card["trained_on"]) == set(LICENCES)
    assert all(f"- {name}: {licence}" in page for name, licence in LICENCES.items())


def test_runs_figures_and_limits_stand_on_the_page(card: dict[str, Any]) -> None:
    from training.reader.card import LIMITS, described

    page = described(card)
    assert "1. stage: made up; seed: 0\n2. stage: real; seed: 1" in page
    assert "| reading: f1 | 0.75 |" in page
    assert all(limit in page for limit in LIMITS)
    assert "{" not in page
