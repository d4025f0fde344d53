"""The one sentence that says why a strategy was taken, or why none could be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ragctx.routing.names import KINDS
from ragctx.types import Candidate

_SAID: Final[Mapping[str, str]] = {
    "single_fact": "single fact",
    "multi_part": "several parts",
    "comparison": "comparison",
    "aggregation": "aggregation",
    "summary": "summary",
    "reasoning": "reasoning",
    "unanswerable": "likely not in the documents",
}


def reason(
    chosen: Candidate, others: Sequence[Candidate], signals: Mapping[str, float], *, fitted: bool = False
) -> str:
    """Kind (or the predicted score), what is read, and what the best alternative would have cost and brought.

    Args:
        chosen: the strategy taken.
        others: best first; those that are out carry their reason in `rejected`, and those that were refused before
            their cost was known have no estimate.
        signals: of the question.
        fitted: scores were predicted from the signals themselves, and not from the kind.
    """
    first = f"predicted to score {chosen.quality:.2f}" if fitted else _kind(signals)
    parts = [first, _reads(chosen, signals)]
    if others and not others[0].rejected:
        parts.append(_against(chosen, others[0]))
    elif others and others[0].estimate.lines:  # one that could do nothing here is no alternative; views tell of it
        parts.append(_out(others[0]))
    return "; ".join(parts)


def asked_for(chosen: Candidate) -> str:
    """The sentence for a strategy that the user named."""
    if not chosen.estimate.calls.high:
        return f"{chosen.strategy} was asked for by name; it asks no language model"
    return f"{chosen.strategy} was asked for by name; it reads {chosen.estimate.prompt.expected:,.0f} tokens"


def no_choice(candidates: Sequence[Candidate], *, able: bool = True) -> str:
    """Every rejection, and what to do.

    Args:
        candidates: all of them are out.
        able: whether one of them could read here, were it not for window or budget. Where none could, each reason names
            its remedy.
    """
    alike: dict[str, list[str]] = {}
    for candidate in candidates:
        alike.setdefault(candidate.rejected, []).append(candidate.strategy)
    reasons = "; ".join(f"{', '.join(names)}: {why}" for why, names in alike.items())
    if not able:
        return f"no strategy can be used here ({reasons})"
    return (
        f"no strategy stays within window and budget ({reasons}): raise the budget, narrow the documents, "
        "or use a reader with a larger window"
    )


def likeliest(signals: Mapping[str, float]) -> str:
    """The kind with the highest probability; of equal ones the first in the order of `KINDS`."""
    return max(KINDS, key=lambda kind: signals.get(f"kind_{kind}", 0.0))


def _kind(signals: Mapping[str, float]) -> str:
    if not signals.get("english", 1.0):
        return "cue words are English and the question is not, so every kind counts alike"
    kind = likeliest(signals)
    return f"{_SAID[kind]} ({signals.get(f'kind_{kind}', 0.0):.2f})"


def _reads(chosen: Candidate, signals: Mapping[str, float]) -> str:
    prompt, tokens = chosen.estimate.prompt.expected, signals.get("document_tokens", 0.0)
    if not chosen.estimate.calls.high:
        return f"{chosen.strategy} asks no language model"
    if prompt >= tokens:
        return f"{chosen.strategy} reads all {tokens:,.0f} tokens"
    return f"{chosen.strategy} reads {prompt:,.0f} of {tokens:,.0f} tokens"


def _out(other: Candidate) -> str:
    return f"{other.strategy} is out: {other.rejected}"


def _against(chosen: Candidate, other: Candidate) -> str:
    gain = round(other.quality - chosen.quality, 2) + 0.0
    brought = f"and lose {-gain:.2f}" if gain < 0 else f"for {gain:+.2f}"
    return f"{other.strategy} would {_spends(chosen, other)} {brought}"


def _spends(chosen: Candidate, other: Candidate) -> str:
    """What the other does that the chosen one does not: a multiple of nothing would say nothing."""
    if not other.estimate.calls.high:
        return "ask no language model"
    if not chosen.estimate.calls.high:
        return f"cost {other.estimate.tokens.expected:,.0f} tokens"
    ratio = other.cost / chosen.cost if chosen.cost else float("inf")
    return f"cost {ratio:.1f}x" if ratio >= 1.95 else f"cost {ratio:.2f}x"
