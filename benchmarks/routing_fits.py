"""Which strategy each row takes when the router was fitted without its document, or without its domain.

All that is chosen, the form of the fit and lambda, is chosen within the training rows, by a cross-fit of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from routing_rows import ARMS, RETRIEVED, Row

from ragctx.routing.fitting import Outcome, fit_calibrated, telling
from ragctx.routing.many import scores

INNER = 3
LAMBDAS = tuple(np.round(np.arange(0.0, 0.1501, 0.0025), 4))
LENGTHS = ("32k", "128k")
Key = Callable[[Row], str]
Limits = Mapping[str, float]
"""Length -> the most of reading everything's tokens that is aimed at."""


def _same(row: Row) -> Outcome:
    return row.outcome


def _kind_and_length(row: Row) -> Outcome:
    return replace(row.outcome, kind=f"{row.outcome.kind} {row.length}")


FORMS: Mapping[str, tuple[Callable[[Row], Outcome], bool]] = {
    "one fit": (_same, False),
    "kinds x lengths": (_kind_and_length, False),
    "a fit a length": (_same, True),
}
"""What a row is fitted as, and whether each length is fitted by itself."""


@dataclass(frozen=True, slots=True)
class Routed:
    """Of every row: whether everything is read, and the expected scores, (rows, 2), of the form that was chosen."""

    whole: np.ndarray
    said: np.ndarray
    chosen: list[dict[str, tuple[str, float]]]


def by_document(row: Row) -> str:
    """The rows of one document are left out together."""
    return row.outcome.group


def by_domain(row: Row) -> str:
    """The rows of one domain are."""
    return row.domain


def routed(
    every: Sequence[Row], parts: Sequence[np.ndarray], limits: Sequence[Limits], key: Key = by_document
) -> list[Routed]:
    """The choices at each of the limits; each part's from a fit on the others, which are divided by the same key."""
    made = [Routed(np.zeros(len(every), bool), np.zeros((len(every), 2)), []) for _ in limits]
    for part in parts:
        out = set(part.tolist())
        train, test = [row for at, row in enumerate(every) if at not in out], [every[at] for at in part]
        inner = folds(train, key, INNER)
        tried = {form: crossed(form, train, inner, key) for form in FORMS}
        said = {form: predicted(form, train, test, key) for form in FORMS}
        for result, limit in zip(made, limits, strict=True):
            best = {length: chosen(train, tried, length, limit[length]) for length in limit}
            result.chosen.append(best)
            for length, (form, lam) in best.items():
                here = np.array([at for at, row in enumerate(test) if row.length == length], int)
                if len(here):
                    result.said[part[here]] = said[form][here]
                    result.whole[part[here]] = takes_all(said[form][here], [test[at] for at in here], lam)
    return made


def predicted(form: str, train: Sequence[Row], test: Sequence[Row], key: Key = by_document) -> np.ndarray:
    """Expected score of reading everything and of retrieving, (rows, 2), by the predictors that the product fits.

    They divide their rows by the same key, unless there is one of its kind only.
    """
    as_outcome, by_length = FORMS[form]
    group = key if len({key(row) for row in train}) > 1 else by_document
    said = np.zeros((len(test), 2))
    for lengths in [(length,) for length in LENGTHS] if by_length else [LENGTHS]:
        known = [replace(as_outcome(row), group=group(row)) for row in train if row.length in lengths]
        at = [place for place, row in enumerate(test) if row.length in lengths]
        if not at:
            continue
        fitted = fit_calibrated(known, telling(known))
        asked = [test[place].outcome for place in at]
        told = scores(fitted, [one.signals for one in asked], [one.reader for one in asked])
        said[at] = np.stack([told[arm] for arm in ARMS], 1)
    return said


def crossed(form: str, every: Sequence[Row], parts: Sequence[np.ndarray], key: Key) -> np.ndarray:
    """Predictions of each part from the others."""
    said = np.zeros((len(every), 2))
    for part in parts:
        out = set(part.tolist())
        train = [row for at, row in enumerate(every) if at not in out]
        said[part] = predicted(form, train, [every[at] for at in part], key)
    return said


def chosen(train: Sequence[Row], tried: Mapping[str, np.ndarray], length: str, most: float) -> tuple[str, float]:
    """The form and lambda that score best on the training rows within the share; where none does, the cheapest."""
    at = [i for i, row in enumerate(train) if row.length == length]
    rows = [train[i] for i in at]
    able = {}
    for form, said in tried.items():
        for lam in LAMBDAS:
            whole = takes_all(said[at], rows, lam)
            if share(rows, whole) <= most:
                able[form, lam] = float(np.mean(got(rows, whole)))
    return max(able, key=lambda one: able[one]) if able else (next(iter(FORMS)), LAMBDAS[-1])


def folds(every: Sequence[Row], key: Callable[[Row], str], count: int) -> list[np.ndarray]:
    """Rows of each part; the rows of one key stay together."""
    names = np.array(sorted({key(row) for row in every}))
    part = {name: at % count for at, name in enumerate(np.random.default_rng(0).permutation(names))}
    of = np.array([part[key(row)] for row in every])
    return [np.flatnonzero(of == at) for at in range(min(count, len(names)))]


def takes_all(said: np.ndarray, every: Sequence[Row], lam: float) -> np.ndarray:
    """Whether everything is read: what it is expected to gain is worth lambda times what it costs more."""
    more = np.array([1 - RETRIEVED / row.tokens for row in every])
    return np.asarray(said[:, 0] - said[:, 1] > lam * more)


def got(every: Sequence[Row], whole: np.ndarray) -> list[float]:
    """The score of each row's choice."""
    pairs = zip(every, whole, strict=True)
    return [row.outcome.scores["full" if all_ else "retrieve"] for row, all_ in pairs]


def share(every: Sequence[Row], whole: np.ndarray) -> float:
    """Tokens read over those of always reading everything."""
    tokens = np.array([row.tokens for row in every])
    return float(np.where(whole, tokens, RETRIEVED).sum() / tokens.sum())
