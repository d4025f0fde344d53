"""Quest: settings, and how much of what the best tiles keep is kept."""

from __future__ import annotations

import pytest

from ragctx.errors import ConfigError

torch = pytest.importorskip("torch", reason="needs the extra local")


@pytest.fixture
def made():
    from ragctx.attention.selection.quest import Quest

    return Quest


@pytest.mark.parametrize("wrong", [{"budget": 0}, {"growth": 1}])
def test_settings_out_of_range_are_refused(made, wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        made(**wrong)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_step_keeps_more_than_chance(made, shown, bracket, seed):
    luck, kept, best = bracket(*(lambda seen: (seen, made(budget=256).mask(seen)))(shown(1500, 1499, seed=seed)))
    assert luck < kept <= best + 1e-9
