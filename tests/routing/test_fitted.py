"""Choosing by a fitted policy: its predictions, corrections, floor and hash."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ragctx.assembly import considered
from ragctx.errors import ConfigError
from ragctx.routing import Policy, decide
from ragctx.routing.fitted import Correction, Fitted, Origin
from ragctx.routing.predictors import MEAN, Predictors, Regressor
from ragctx.types import Question

TABLE = {MEAN: {"full": (0.5,), "retrieve": (0.6,)}, "scripted:test": {"full": (0.5,), "retrieve": (0.6,)}}
SAME = ((0.0, 0.0), (0.95, 0.95))
LONG = {
    "full": Regressor(0.5, 0.0, (0.2,), SAME),
    "retrieve": Regressor(0.5, 0.0, (-0.2,), SAME),
}
PREDICTORS = Predictors(("words",), (10.0,), (4.0,), ("any",), (0.0,), ((0.0,),), TABLE, LONG)


def fitted(**changes: object) -> Fitted:
    held = Fitted(Policy.load().digest, PREDICTORS, {}, 0.05, 0.0, Origin(50, 50, 9, ("scripted:test",)))
    return replace(held, **changes)


def policy(**changes: object) -> Policy:
    return Policy.load().under(fitted(**changes))


SHORT = Question("How long is notice?")
WORDY = Question(
    "Of the tenants and of their guests, which ones may keep dogs or cats upstairs in the house, and until when?"
)


def test_questions_go_where_their_signals_say(corpus, models, two) -> None:
    short, wordy = (decide(q, corpus, models, two, policy()) for q in (SHORT, WORDY))
    assert (short.strategy, wordy.strategy) == ("retrieve", "full")
    assert short.chosen.quality == pytest.approx(0.5 + 0.2 * 6 / 4)
    assert {c.strategy: c.quality for c in short.candidates}["full"] == pytest.approx(0.2)
    assert short.policy == f"fitted.v2:{fitted().digest[:12]}"
    assert short.signals["words"] == 4
    assert short.why.startswith("predicted to score 0.80; retrieve reads")


def test_a_reader_that_was_not_measured_is_routed_by_the_table(corpus, models, two) -> None:
    stranger = replace(models, roles={"reader": replace(models.reader, name="other")})
    for question in (SHORT, WORDY):
        made = decide(question, corpus, stranger, two, policy())
        assert {c.strategy: c.quality for c in made.candidates} == {"full": 0.5, "retrieve": 0.6}


def test_lambda_and_floor(corpus, models, two) -> None:
    dear = policy(lam=5.0)
    assert decide(WORDY, corpus, models, two, dear, dear.lam).strategy == "retrieve"
    floored = policy(lam=5.0, floor=0.6)
    made = decide(WORDY, corpus, models, two, floored)
    assert made.strategy == "full"
    assert "the floor is 0.60" in made.rejected[0].rejected
    nobody = decide(WORDY, corpus, models, two, policy(lam=5.0, floor=1.0))
    assert nobody.strategy == "retrieve"  # where none reaches the floor it puts none out


def test_estimates_are_corrected_and_budgets_hold_as_they_are(corpus, models, two) -> None:
    plain, moved = (
        decide(SHORT, corpus, models, two, policy(corrections=c)).chosen.estimate.tokens
        for c in ({}, {"retrieve": Correction(tokens=1.5)})
    )
    assert moved.expected > plain.expected
    assert (moved.low, moved.high) == (plain.low, plain.high)
    assert decide(WORDY, corpus, models, two, policy(), budget=520).strategy == "retrieve"


def test_what_was_not_measured_is_out_unless_named(corpus, models, two, fixed) -> None:
    ways = two | {"new": fixed("new", prompt=5)}
    made = decide(SHORT, corpus, models, ways, policy())
    [new] = [c for c in made.candidates if c.strategy == "new"]
    assert "was not measured" in new.rejected
    assert decide(SHORT, corpus, models, ways, policy(), only="new").strategy == "new"
    alone = decide(SHORT, corpus, models, {"new": fixed("new", prompt=5)}, policy())
    assert alone.strategy == "new"
    assert considered(ways, policy()) == {"full", "retrieve"}


def test_a_signal_that_is_not_known_counts_as_typical() -> None:
    assert PREDICTORS.scores({}, "scripted:test") == pytest.approx({"full": 0.5, "retrieve": 0.5})
    far = PREDICTORS.scores({"words": 1e9}, "scripted:test")
    assert far == PREDICTORS.scores({"words": 22.0}, "scripted:test")


def test_words_are_looked_at_where_the_policy_goes_by_them(corpus, models, two) -> None:
    lines = {name: replace(line, weights=(w, 0.0)) for (name, line), w in zip(LONG.items(), (0.2, -0.2), strict=True)}
    numbers = Predictors(
        ("says_why", "words"), (0.0, 10.0), (1.0, 4.0), ("any",), (0.0,), ((0.0, 0.0),), TABLE, lines
    )  # fmt: skip
    held = policy(predictors=numbers)
    why, who = (decide(Question(text), corpus, models, two, held) for text in ("Why is it let?", "Who has it?"))
    assert why.chosen.quality == pytest.approx(0.7)
    assert who.chosen.quality == pytest.approx(0.5)
    assert why.signals["says_why"] == 1.0
    said = [
        {name for name in made.signals if name.startswith("says_")}
        for made in (why, who, decide(SHORT, corpus, models, two))
    ]
    assert said == [{"says_why"}, set(), set()]


@pytest.mark.parametrize(("changes", "said"), [
    ({"lam": -1.0}, "lam: must not be below 0"),
    ({"corrections": {"full": Correction(0.0)}}, "corrections.full: must be above 0"),
    ({"corrections": {"gone": Correction()}}, "corrections.gone: was not measured"),
    ({"predictors": replace(PREDICTORS, regressors={"full": Regressor(0, 0, (), SAME)})}, "regressors.full.weights"),
    ({"predictors": replace(PREDICTORS, regressors={"full": Regressor(0, 0, (1,), ((1, 0), (0, 1)))})}, "points"),
])  # fmt: skip
def test_numbers_that_cannot_be_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        fitted(**changes).to_json()


def test_another_base_is_found_beside_the_file(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "ragctx" / "routing" / "policy.toml").read_text("utf-8")
    (tmp_path / "base.toml").write_text(text.replace("lam = 0.05", "lam = 0.2"), encoding="utf-8")
    base = Policy.load(tmp_path / "base.toml")
    (tmp_path / "f.json").write_text(fitted(base=base.digest, base_file="base.toml").to_json(), encoding="utf-8")
    assert Policy.load(tmp_path / "f.json").margin == base.margin
    with pytest.raises(ConfigError, match="fitted: unknown key"):
        Policy.parse("fitted = 1\n" + text)
