"""The policy file: what it must say, what it may not say, and that its hash follows its content."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragctx import routing
from ragctx.errors import ConfigError
from ragctx.routing import Policy
from ragctx.routing.names import KINDS
from ragctx.routing.quality import interpolate, predicted

BUILTIN = (Path(routing.__file__).parent / "policy.toml").read_text(encoding="utf-8")

WRONG = [
    ("lam = 0.05", "lam = 0.05\nlamda = 1", "lamda: unknown key"),
    ("lam = 0.05", "", "lam: missing"),
    ("lam = 0.05", "lam = -1.0", "lam: must not be below 0"),
    ("lam = 0.05", "lam = nan", "lam: "),
    ("lam = 0.05", 'lam = "much"', "lam: "),
    ("lam = 0.05", "lam = 0.05\ndigest = 'x'", "digest: unknown key"),
    ("typical_words = 12", "typical_words = 12\ntypical = 1", "kinds.typical: unknown key"),
    ("typical_words = 12", "typical_words = 0", "above 0"),
    ("single_fact = 0.75", "singel_fact = 0.75", "kinds.priors: needs exactly the kinds"),
    ("coverage_top1 = -3.0", "coverage_top9 = -3.0", "unanswerable.weights.coverage_top9: unknown signal"),
    ('toward = "summary"', 'toward = "gossip"', "unknown kind 'gossip'"),
    (r"pattern = '\b(summar", r"pattern = '\b((summar", "not a regular expression"),
    ('axis = "window_ratio"', 'axis = "moon"', "strategies.full.axis"),
    ('axis = "share_read"', 'axis = "share_read"\ncolour = 1', "strategies.retrieve.colour: unknown key"),
    ('toward = "full"', 'toward = "fool"', "strategies.retrieve.toward"),
    ("[[0.25, 0.796], [1.0, 0.765]]", "[[1.0, 0.796], [0.25, 0.765]]", "strategies.full.quality.single_fact: needs"),
    ("[[0.25, 0.796], [1.0, 0.765]]", "[[0.25, 79.6], [1.0, 0.765]]", "shares, 0 to 1"),
    ("[[0.25, 0.796], [1.0, 0.765]]", "[]", "needs points"),
    ('signal = "documents"', 'signal = "doccuments"', "unknown signal 'doccuments'"),
    ('strategy = "full"', 'strategy = "fool"', "'fool' has no figures"),
    ("version = 2", "version = 2\n[", "not TOML"),
]


@pytest.mark.parametrize(("old", "new", "told"), WRONG, ids=[told for _, _, told in WRONG])
def test_what_is_not_understood_is_an_error_that_names_the_key(old: str, new: str, told: str) -> None:
    assert old in BUILTIN
    with pytest.raises(ConfigError) as caught:
        Policy.parse(BUILTIN.replace(old, new, 1), "mine.toml")
    assert str(caught.value).startswith("mine.toml")
    assert told in str(caught.value)


def test_all_unknown_keys_are_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"(?s)one: unknown key.*two: unknown key"):
        Policy.parse("one = 1\ntwo = 2\n" + BUILTIN)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the policy"):
        Policy.load(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(ConfigError, match="UTF-8"):
        Policy.load(tmp_path / "bad.toml")


def test_the_hash_follows_content_and_not_layout(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text("# a comment\n\n" + BUILTIN, encoding="utf-8")
    assert Policy.load(path).label == Policy.load().label
    path.write_text(BUILTIN.replace("lam = 0.05", "lam = 0.06"), encoding="utf-8")
    other = Policy.load(path)
    assert other.lam == 0.06
    assert other.digest != Policy.load().digest


def certain(kind: str, **signals: float) -> dict[str, float]:
    return {f"kind_{k}": float(k == kind) for k in KINDS} | signals


@pytest.mark.parametrize("kind", KINDS)
def test_what_reads_everything_is_as_good_as_the_whole_text(kind: str) -> None:
    found = certain(kind, window_ratio=0.5)
    whole = predicted("full", Policy.load(), found, share_read=1.0)
    assert predicted("retrieve", Policy.load(), found, share_read=1.0) == pytest.approx(whole, abs=1e-4)


def test_the_builtin_table_leans_as_its_sources_say() -> None:
    policy = Policy.load()
    for kind in ("comparison", "aggregation", "summary"):
        found = certain(kind, window_ratio=0.25)
        assert predicted("full", policy, found, 1.0) > predicted("retrieve", policy, found, 0.09) + 0.1
    found = certain("unanswerable", window_ratio=1.0)
    assert predicted("retrieve", policy, found, 0.02) > predicted("full", policy, found, 1.0) + 0.1
    assert (
        predicted("full", policy, certain("single_fact", window_ratio=0.25), 1.0)
        - predicted("retrieve", policy, certain("single_fact", window_ratio=0.25), 0.09)
        < policy.lam
    )


def test_quality_of_the_whole_text_decays_as_the_window_fills() -> None:
    ratios = [0.01, 0.25, 0.4, 0.7, 1.0, 5.0]
    values = [predicted("full", Policy.load(), certain("comparison", window_ratio=r), 1.0) for r in ratios]
    assert values == sorted(values, reverse=True)
    assert values[0] == values[1] > values[2] > values[3] > values[4] == values[5]


def test_an_unstated_window_is_assumed() -> None:
    policy = Policy.load()
    stated = predicted("full", policy, certain("comparison", window_ratio=0.5), 1.0)
    assumed = certain("comparison", document_tokens=policy.assumed_window / 2)
    assert predicted("full", policy, assumed, 1.0) == stated


def test_interpolation_on_a_logarithm() -> None:
    assert interpolate(((1, 0.0), (100, 1.0)), 10, logarithmic=True) == pytest.approx(0.5)
    assert interpolate(((1, 0.0), (100, 1.0)), 0.5, logarithmic=True) == 0.0
    assert interpolate(((1, 0.3),), 7) == 0.3
