"""Paired bootstrap over documents: is one system better than another, beyond the luck of the sample?

Questions about one document are not independent, so whole documents (groups) are drawn with replacement, and every
question of a drawn document counts (the cluster bootstrap; for its use with paired systems see Koehn 2004, W04-3250).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_AT_ONCE = 2_000_000  # group counts drawn at once: about 16 MB


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two systems' paired scores say.

    Attributes:
        difference: mean of ours minus mean of theirs, over questions.
        low: lower end of the confidence interval of the difference; high: its upper end.
        p: chance of a difference at least this far from zero if the systems were equal (two-sided).
        questions: how many pairs. groups: how many documents were drawn from.
        failures: how many scores of either system were missing, and counted as 0.
    """

    difference: float
    low: float
    high: float
    p: float
    questions: int
    groups: int
    failures: int = 0


def paired_bootstrap(
    ours: Sequence[float | None],
    theirs: Sequence[float | None],
    groups: Sequence[str],
    *,
    resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compares two systems question by question, drawing documents.

    Percentile interval; the p-value is the share of resamples that, centred on zero, lie as far out as the observed
    difference, with one added to both counts so that it is never exactly zero.

    Args:
        ours: one score a question; None where the system failed, which counts as 0 so that failing never helps.
        theirs: scores of the other system for the same questions.
        groups: the document of each question.
        resamples: how many samples of documents are drawn.
        confidence: share of resamples inside the interval, between 0 and 1.
        seed: of the draws; the same seed gives the same result.

    Raises:
        ValueError: lengths differ, there are no questions, a score is not finite, or an option is out of range.

    Example:
        >>> result = paired_bootstrap([1, 1, 1, 0], [0, 1, None, 0], ["a", "a", "b", "b"])
        >>> result.difference, result.failures, result.groups
        (0.5, 1, 2)
    """
    if not len(ours) == len(theirs) == len(groups) or not len(ours):
        raise ValueError(f"need equally many scores and groups, got {len(ours)}, {len(theirs)} and {len(groups)}")
    if resamples < 1 or not 0 < confidence < 1:
        raise ValueError(f"need resamples >= 1 and 0 < confidence < 1, got {resamples} and {confidence}")
    sums, sizes = _by_group(_scores(ours) - _scores(theirs), groups)
    difference = float(sums.sum() / sizes.sum())
    drawn = _resample(sums, sizes, resamples, seed)
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    # Rounding alone: all resamples are drawn around the observed difference, equal documents all fall on it.
    extreme = np.count_nonzero(np.abs(drawn - difference) >= abs(difference) - 1e-12)
    return Comparison(
        difference=difference,
        low=min(float(low), difference),
        high=max(float(high), difference),
        p=(1 + int(extreme)) / (1 + resamples),
        questions=len(ours),
        groups=len(sizes),
        failures=sum(score is None for score in (*ours, *theirs)),
    )


def _scores(values: Sequence[float | None]) -> np.ndarray:
    scores = np.array([0.0 if value is None else float(value) for value in values])
    if not np.isfinite(scores).all():
        raise ValueError("a score is not a finite number: give None for a failed question")
    return scores


def _by_group(differences: np.ndarray, groups: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    names, index = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    return (
        np.bincount(index, weights=differences, minlength=len(names)),
        np.bincount(index, minlength=len(names)),
    )


def _resample(sums: np.ndarray, sizes: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Mean difference of each resample; the draws come in blocks, so that memory stays flat."""
    rng = np.random.default_rng(seed)
    count = len(sums)
    block = max(1, _AT_ONCE // count)
    means = []
    for start in range(0, resamples, block):
        times = rng.multinomial(count, np.full(count, 1 / count), size=min(block, resamples - start))
        means.append((times @ sums) / (times @ sizes))
    return np.concatenate(means)
