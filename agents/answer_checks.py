"""Checks of an answer that cost nothing: each looks at one attempt and says what is wrong with it, or nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ragctx.agents.attempts import Attempt
from ragctx.errors import ConfigError
from ragctx.grounding.words import content, numbers
from ragctx.strategies.pruning import WHOLE


@dataclass(frozen=True, slots=True)
class Bars:
    """What an answer must reach; all assumed, none was fitted.

    Attributes:
        carried: share of the answer's own content words that must stand in what was read; its numbers all must.
        quantile: of the tokens' log-probabilities, 0 the worst token and 1 the best. certain: the probability at it.
        relevant: the best passage's probability to answer, where a ranker gave one.

    Raises:
        ConfigError: a figure is no share.
    """

    carried: float = 0.5
    quantile: float = 0.1
    certain: float = 0.1
    relevant: float = 0.05

    def __post_init__(self) -> None:
        for name in ("carried", "quantile", "certain", "relevant"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"a check's {name} is a share: give 0 to 1, not {getattr(self, name)}")


Check = Callable[[Attempt, Bars], str]


def refusal(attempt: Attempt, bars: Bars) -> str:
    """The answer says that the documents do not say."""
    return "" if attempt.answer.answerable else "it found no answer"


def verbatim(attempt: Attempt, bars: Bars) -> str:
    """Words or numbers of the answer do not stand in what was read."""
    if not attempt.answer.answerable or not attempt.read:
        return ""
    share, strange = carried(attempt.answer.text, attempt.question.text, attempt.read)
    if strange:
        return f"{', '.join(sorted(strange)[:3])} {'stands' if len(strange) == 1 else 'stand'} nowhere in what was read"
    return f"only {share:.2f} of its words stand in what was read" if share < bars.carried else ""


def certainty(attempt: Attempt, bars: Bars) -> str:
    """The model was unsure of its words: Chow-Quantile of LM cascades (Gupta et al., ICLR 2024, arXiv 2404.10136)."""
    if not attempt.answer.answerable or not attempt.logprobs:
        return ""
    probability = math.exp(quantile(attempt.logprobs, bars.quantile))
    return f"its unsurest words are {probability:.2f} likely" if probability < bars.certain else ""


def retrieval(attempt: Attempt, bars: Bars) -> str:
    """No passage that was found looks like an answer."""
    best = max(attempt.relevances, default=1.0)
    return f"the best passage is {best:.2f} likely to answer" if best < bars.relevant else ""


def pruned(attempt: Attempt, bars: Bars) -> str:
    """The ranker would have kept no sentence of what was found."""
    return "no sentence found looks needed" if WHOLE in attempt.answer.notes else ""


CHECKS: Mapping[str, Check] = {
    "refusal": refusal,
    "verbatim": verbatim,
    "certainty": certainty,
    "retrieval": retrieval,
    "pruned": pruned,
}


def carried(text: str, question: str, read: str) -> tuple[float, frozenset[str]]:
    """Share of a text's own content words that stand in what was read, and the numbers that do not.

    Words of the question are not the text's own.

    Example:
        >>> carried("It ends in June 2031.", "When does it end?", "The lease ends in June 2030.")
        (0.5, frozenset({'2031'}))
    """
    own = content(text) - content(question)
    missing = own - content(read)
    return (1 - len(missing) / len(own) if own else 1.0), numbers(missing)


def quantile(logprobs: tuple[float, ...], share: float) -> float:
    """The log-probability that `share` of the tokens are at or below, interpolated.

    Example:
        >>> quantile((-0.1, -3.0, -0.2), 0.0), quantile((-0.1, -3.0, -0.2), 0.5)
        (-3.0, -0.2)
    """
    ranked = sorted(logprobs)
    place = share * (len(ranked) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ranked) - 1)
    return ranked[low] + (place - low) * (ranked[high] - ranked[low])


def empty_handed(attempt: Attempt, bars: Bars) -> bool:
    """Whether the reading model itself finds nothing: its null score."""
    return bool(retrieval(attempt, bars) or pruned(attempt, bars))


def after_refusal(silent: float, ratio: float) -> float:
    """How likely the documents do not say, once a reader that was given passages found no answer in them.

    Args:
        silent: how likely it was before.
        ratio: how many times likelier a refusal is where they do not.

    Example:
        >>> round(after_refusal(0.05, 12), 2), round(after_refusal(0.3, 12), 2)
        (0.39, 0.84)
    """
    refused = silent * ratio
    return refused / (refused + 1 - silent) if refused else 0.0
