"""The router against always reading everything and always retrieving, on published answers of many readers.

    python benchmarks/routing.py --data DIR [--rows FILE] [--outcomes FILE] [--store FILE] [--quick] [--json]

DIR holds `lara`: questions, documents, and lexical scores of 13 readers that read everything or retrieved. The
predictors are those that the product fits (`fit_calibrated`). They, the form of the fit and lambda are chosen without
the documents (or the domain) that are measured; form and lambda by a cross-fit of the other documents. Intervals come
from drawing documents. `--rows` keeps the signals, which take longest: a run that was killed goes on. `--outcomes` is
a matrix of `outcomes.py`. `--quick` leaves out a fifth of the documents at a time, in place of a tenth.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import routing_matrix
from core import machine
from parts import Figures, measured, null, resumed, told
from routing_fits import LENGTHS, Routed, by_document, by_domain, folds, got, routed, share
from routing_rows import ARMS, Row, rows

from ragctx.evaluation import paired_bootstrap
from ragctx.evaluation.frontier import calibration, calibration_error
from ragctx.evaluation.outcomes import Matrix
from ragctx.routing.fitting import fit_calibrated, telling

WANTED = {"32k": 0.60, "128k": 0.40}
"""The most of reading everything's tokens that is aimed at."""
CHEAP = {"32k": 0.35, "128k": 0.35}
UNSEEN = {"32k": 0.50, "128k": 0.50}
NAMES = [
    "lara_rows", "proxy", "lara_32k_gain", "lara_32k_token_share", "lara_128k_gain", "lara_128k_token_share",
    "lara_32k_cheap_gain", "lara_32k_cheap_token_share", "oracle_gap_closed", "unseen_domain_gain",
    "unseen_domain_token_share", "type_accuracy", "unseen_domain_type_accuracy", "calibration_error",
    "unseen_domain_calibration_error", "routing_ms", "lookup_ms", "intervals", "chosen",
]  # fmt: skip
PLANS = [
    "plan_error_median", "plan_error_corrected", "plan_bounds_held", "plan_error_by_strategy", "matrix_rows",
    "matrix_questions", "matrix_sets", "matrix_ways", "matrix_aiq", "matrix_oracle", "matrix_against",
    "matrix_over_chance", "matrix_calibration_error", "matrix_verdict",
]  # fmt: skip


def lara(data: Path, kept: Path, *, parts: int) -> Figures:
    """Every figure of this part."""
    every = rows(data / "lara", kept)
    documents, domains = folds(every, by_document, parts), folds(every, by_domain, 3)
    ours, cheap = routed(every, documents, [WANTED, CHEAP])
    [away] = routed(every, domains, [UNSEEN], by_domain)
    at = {length: [i for i, row in enumerate(every) if row.length == length] for length in LENGTHS}
    intervals: dict[str, dict[str, float]] = {}
    for name, one in {"": ours, "cheap_": cheap, "unseen_domain_": away}.items():
        intervals |= {name + length: against([every[i] for i in at[length]], one.whole[at[length]]) for length in at}
    intervals["unseen_domain"] = against(every, away.whole)
    closed = {key: sum(len(at[length]) * intervals[length][key] for length in at) for key in ("gain", "room")}
    result: dict[str, Any] = {"lara_rows": len(every), "proxy": {n: proxy([every[i] for i in at[n]]) for n in at}}
    for name, of in {"32k": "32k", "128k": "128k", "32k_cheap": "cheap_32k"}.items():
        result |= {f"lara_{name}_gain": intervals[of]["gain"], f"lara_{name}_token_share": intervals[of]["token_share"]}
    return result | {
        "oracle_gap_closed": round(closed["gain"] / closed["room"], 3),
        "unseen_domain_gain": intervals["unseen_domain"]["gain"],
        "unseen_domain_token_share": intervals["unseen_domain"]["token_share"],
        "type_accuracy": types(every, documents),
        "unseen_domain_type_accuracy": types(every, domains),
        "calibration_error": error(every, ours),
        "unseen_domain_calibration_error": error(every, away),
        **spent(every),
        "intervals": intervals,
        "chosen": {"documents": ours.chosen, "domains": away.chosen},
    }


def against(every: Sequence[Row], whole: np.ndarray) -> dict[str, float]:
    """Gain over the better pure strategy with its interval, in points, and what it read."""
    pure = {arm: [row.outcome.scores[arm] for row in every] for arm in ARMS}
    theirs = max(pure.values(), key=fmean)
    drawn = paired_bootstrap(got(every, whole), theirs, [row.outcome.group for row in every])
    best = fmean(max(row.outcome.scores.values()) for row in every)
    told = {"gain": drawn.difference, "low": drawn.low, "high": drawn.high, "room": best - fmean(theirs)}
    return {name: round(100 * value, 2) for name, value in told.items()} | {
        "token_share": round(share(every, whole), 3)
    }


def proxy(every: Sequence[Row]) -> dict[str, float]:
    """The data's own figures, with every label known."""
    full, cut = (np.array([row.outcome.scores[arm] for row in every]) for arm in ARMS)

    def known(key: Callable[[Row], object]) -> float:
        names = np.array([str(key(row)) for row in every])
        return sum(max(full[names == name].sum(), cut[names == name].sum()) for name in set(names)) / len(every)

    told = {"full": full.mean(), "retrieve": cut.mean(), "kind": known(lambda row: row.outcome.kind)}
    told |= {"kind_reader": known(lambda row: (row.outcome.kind, row.outcome.reader))}
    return {name: round(float(value), 4) for name, value in (told | {"oracle": np.maximum(full, cut).mean()}).items()}


def types(every: Sequence[Row], parts: Sequence[np.ndarray]) -> float:
    """Share of questions whose kind is the likeliest one, by predictors that were fitted without the part."""
    right: dict[str, bool] = {}
    for part in parts:
        out = set(part.tolist())
        known = [row.outcome for at, row in enumerate(every) if at not in out]
        fitted = fit_calibrated(known, telling(known))
        for one in {every[at].outcome.question: every[at].outcome for at in part}.values():
            likely = fitted.posterior(one.signals)
            right[one.question] = fitted.kinds[likely.index(max(likely))] == one.kind
    return round(fmean(right.values()), 3)


def error(every: Sequence[Row], one: Routed) -> float:
    """Expected calibration error, both strategies together."""
    scores = np.array([[row.outcome.scores[arm] for arm in ARMS] for row in every])
    return round(calibration_error(calibration(one.said.ravel().tolist(), scores.ravel().tolist())), 4)


def spent(every: Sequence[Row]) -> Figures:
    """Milliseconds a question: signals beyond the look-up, and predicting; and the look-up."""
    outcomes = [row.outcome for row in every]
    fitted, some = fit_calibrated(outcomes, telling(outcomes)), outcomes[:: max(1, len(outcomes) // 300)]
    predicting = []
    for one in some:
        start = time.perf_counter()
        fitted.scores(one.signals, one.reader)
        predicting.append((time.perf_counter() - start) * 1e3)
    asked = {row.outcome.question: row for row in every}.values()
    routing = median(row.routing_ms for row in asked) + median(predicting)
    return {"routing_ms": round(routing, 2), "lookup_ms": round(median(row.lookup_ms for row in asked), 2)}


def plans(file: Path | None) -> Figures:
    """Planned against billed tokens of a matrix, and the router on it."""
    if file is None:
        return null("no outcome matrix: run benchmarks/outcomes.py, then give its file as --outcomes", *PLANS)
    matrix = Matrix.read(file)
    return routing_matrix.plans(matrix) | routing_matrix.compared(matrix)


def main() -> None:
    """Measure, store and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=Path, help="where signals are kept")
    parser.add_argument("--outcomes", type=Path)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--only", nargs="*", choices=["lara", "plans"], help="in --store the other part stays")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    command = " ".join(["python benchmarks/routing.py --data DIR", *(["--quick"] if "--quick" in sys.argv else [])])
    head: Figures = {"benchmark": "routing", "date": str(date.today()), "machine": machine(), "command": command}
    stored = Path(__file__).parent / "results" / "routing.json"
    with tempfile.TemporaryDirectory() as folder:
        kept = wanted.rows or Path(folder) / "rows.jsonl"
        parts = 5 if wanted.quick else 10
        measure = {"lara": lambda: lara(wanted.data, kept, parts=parts), "plans": lambda: plans(wanted.outcomes)}
        promised = {"lara": NAMES, "plans": PLANS}
        known = json.loads(wanted.store.read_text()) if wanted.only and wanted.store and wanted.store.exists() else {}
        head |= {name: known[name] for name in head if name in known}
        result = measured(
            wanted, resumed(head, known, wanted.only or ()), measure, lambda name: measure[name](), promised, stored
        )
    told(wanted, result)


if __name__ == "__main__":
    main()
