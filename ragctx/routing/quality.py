"""Predicted quality of a strategy for one question: the policy's figures, weighted by what kind of question it is.

quality = sum over kinds of P(kind) x figure(strategy, kind, place on its axis) + modifiers, held within 0 and 1.
Everything is read from signals as they are stored in the decision, so a stored decision can be recomputed.
"""

from __future__ import annotations

from collections.abc import Mapping

from ragctx.routing.lines import interpolate
from ragctx.routing.names import KINDS
from ragctx.routing.policy import Figures, Policy


def predicted(strategy: str, policy: Policy, signals: Mapping[str, float], share_read: float) -> float:
    """Share of correct answers expected of `strategy`, 0 to 1; the neutral figure for one the policy does not know.

    Args:
        strategy: registered name.
        policy: the table of figures.
        signals: as `ragctx.routing.signals` gives them, `kind_*` included.
        share_read: tokens the strategy sends over tokens of everything, 0 to 1.

    Example:
        >>> policy, comparison = Policy.load(), {f"kind_{kind}": float(kind == "comparison") for kind in KINDS}
        >>> everything = predicted("full", policy, comparison | {"window_ratio": 0.25}, share_read=1.0)
        >>> parts = predicted("retrieve", policy, comparison | {"window_ratio": 0.25}, share_read=0.09)
        >>> everything, parts
        (0.648, 0.465)
    """
    figures = policy.strategies.get(strategy)
    if figures is None:
        return policy.neutral
    mixed = sum(
        signals.get(f"kind_{kind}", 0.0) * _figure(figures, kind, policy, signals, share_read) for kind in KINDS
    )
    return round(min(1.0, max(0.0, mixed + _additions(strategy, policy, signals))), 4)


def _figure(figures: Figures, kind: str, policy: Policy, signals: Mapping[str, float], share_read: float) -> float:
    points = figures.quality[kind]
    if figures.axis == "window_ratio":
        assumed = signals.get("document_tokens", 0.0) / policy.assumed_window
        return interpolate(points, signals.get("window_ratio", assumed), logarithmic=True)
    if figures.toward and points[-1][0] < 1.0:
        whole = _figure(policy.strategies[figures.toward], kind, policy, signals, 1.0)
        points = (*points, (1.0, whole))
    return interpolate(points, min(1.0, share_read))


def _additions(strategy: str, policy: Policy, signals: Mapping[str, float]) -> float:
    return sum(
        interpolate(modifier.points, signals[modifier.signal])
        for modifier in policy.modifiers
        if modifier.strategy == strategy and modifier.signal in signals
    )
