"""The router against always reading everything and always retrieving, on published answers of many readers.

    python benchmarks/routing.py --data DIR [--quick] [--json] [--store FILE]

DIR holds `lara`: questions, documents, and lexical scores of 13 readers that read everything or retrieved. A score is
the share of the gold answer's words that are said; of a question that cannot be answered, whether the answer
declines. All that is fitted, and lambda, is fitted without the documents (or the domain) it is measured on:
predictors on the other documents, lambda on those by a cross-fit of their own. Intervals come from drawing documents.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
from parts import Figures, measured, resumed, told

from ragctx.corpus import Corpus
from ragctx.evaluation import paired_bootstrap
from ragctx.models import ModelFacts, Models
from ragctx.routing.fitting import Outcome, fit
from ragctx.routing.predictors import Predictors
from ragctx.routing.signals import signals
from ragctx.types import Question

RETRIEVED = 3_000
"""Tokens that the released runs retrieved."""
LENGTHS = {"32k": 0.60, "128k": 0.40}
"""The most of reading everything's tokens that is aimed at."""
LAMBDAS = (0.0, 0.005, 0.01, 0.015, 0.02, 0.03)
UNUSED = {"english", "followup", "documents", "document_tokens", "window", "window_ratio", "fits", "price_prompt"}
NAMES = [
    "proxy", "lara_32k_gain", "lara_32k_token_share", "lara_128k_gain", "lara_128k_token_share", "oracle_gap_closed",
    "unseen_domain_gain", "unseen_domain_token_share", "calibration_error", "routing_ms", "intervals",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One question read by one reader."""

    outcome: Outcome
    length: str
    domain: str
    document: str
    tokens: float
    milliseconds: float


def rows(data: Path) -> list[Row]:
    """Every reader's two scores of every question, with the signals that the product sees."""
    asked = [json.loads(line) for line in (data / "normalized.jsonl").read_text("utf-8").splitlines()]
    seen = _seen(data, asked)
    by_id = {one["id"]: one for one in asked}
    labels = map(json.loads, (data / "routing_labels_lexical.jsonl").read_text("utf-8").splitlines())
    return [_row(by_id[one["id"]], one, *seen[one["id"]]) for one in labels if one["full"] and one["rag"]]


def _seen(data: Path, asked: Sequence[dict[str, Any]]) -> dict[str, tuple[dict[str, float], float]]:
    models, found = Models({"reader": ModelFacts("reader", window=131_072)}), {}
    with tempfile.TemporaryDirectory() as folder:
        for at, path in enumerate(sorted({one["document_path"] for one in asked})):
            corpus = Corpus.over(data / path, folder=Path(folder) / str(at))
            for one in asked:
                if one["document_path"] == path:
                    start = time.perf_counter()
                    told = signals(Question(one["question"], id=one["id"]), corpus, models)
                    found[one["id"]] = told, (time.perf_counter() - start) * 1e3
    return found


def _row(one: dict[str, Any], label: dict[str, Any], told: dict[str, float], spent: float) -> Row:
    scores = {
        arm: label[key]["recall"] if one["answerable"] else float(label[key]["refused"])
        for arm, key in (("full", "full"), ("retrieve", "rag"))
    }
    outcome = Outcome(one["id"], one["task"], label["model"], told, scores)
    return Row(outcome, one["length_band"], one["domain"], one["group"], told["document_tokens"], spent)


def fitted(train: Sequence[Row]) -> dict[str, Predictors]:
    """One table a length; what tells kinds apart is learnt from both."""
    names = sorted(set(train[0].outcome.signals) - UNUSED)
    shared = fit([row.outcome for row in train], names)
    parts = {length: [row.outcome for row in train if row.length == length] for length in LENGTHS}
    return {length: replace(shared, table=fit(part, names[:1]).table) for length, part in parts.items()}


def predicted(train: Sequence[Row], test: Sequence[Row]) -> np.ndarray:
    """Expected score of reading everything and of retrieving, shape (rows, 2)."""
    by_length = fitted(train)
    said = (by_length[row.length].scores(row.outcome.signals, row.outcome.reader) for row in test)
    return np.array([(one["full"], one["retrieve"]) for one in said])


def folds(every: Sequence[Row], key: Callable[[Row], str], count: int) -> list[np.ndarray]:
    """Rows of each part; the rows of one key stay together."""
    names = np.array(sorted({key(row) for row in every}))
    order = np.random.default_rng(0).permutation(names)
    part = {name: at % count for at, name in enumerate(order)}
    of = np.array([part[key(row)] for row in every])
    return [np.flatnonzero(of == at) for at in range(count)]


def crossed(every: Sequence[Row], parts: Sequence[np.ndarray]) -> np.ndarray:
    """Predictions of each part from the others."""
    said = np.zeros((len(every), 2))
    for part in parts:
        out = set(part.tolist())
        said[part] = predicted([row for at, row in enumerate(every) if at not in out], [every[at] for at in part])
    return said


def takes_all(said: np.ndarray, every: Sequence[Row], lam: float) -> np.ndarray:
    """Whether everything is read: what it is expected to gain is worth lambda times what it costs more."""
    more = np.array([1 - RETRIEVED / row.tokens for row in every])
    return said[:, 0] - said[:, 1] > lam * more


def weighed(train: Sequence[Row]) -> dict[str, float]:
    """The lambda of each length that does best on the training documents within its share of tokens."""
    said, best = crossed(train, folds(train, lambda row: row.document, 4)), {}
    for length, most in LENGTHS.items():
        at = [i for i, row in enumerate(train) if row.length == length]
        part, their = [train[i] for i in at], said[at]
        able = [lam for lam in LAMBDAS if share(part, takes_all(their, part, lam)) <= most] or [LAMBDAS[-1]]
        best[length] = max(able, key=lambda lam: fmean(got(part, takes_all(their, part, lam))))
    return best


def got(every: Sequence[Row], whole: np.ndarray) -> list[float]:
    """The score of each row's choice."""
    pairs = zip(every, whole, strict=True)
    return [row.outcome.scores["full" if all_ else "retrieve"] for row, all_ in pairs]


def share(every: Sequence[Row], whole: np.ndarray) -> float:
    """Tokens read over those of always reading everything."""
    tokens = np.array([row.tokens for row in every])
    return float(np.where(whole, tokens, RETRIEVED).sum() / tokens.sum())


def routed(every: Sequence[Row], parts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Choices and predictions, each part's from the others."""
    whole, said = np.zeros(len(every), bool), crossed(every, parts)
    for part in parts:
        out = set(part.tolist())
        lam = weighed([row for at, row in enumerate(every) if at not in out])
        for length in LENGTHS:
            at = np.array([i for i in part if every[i].length == length], int)
            if len(at):
                whole[at] = takes_all(said[at], [every[i] for i in at], lam[length])
    return whole, said


def against(every: Sequence[Row], whole: np.ndarray) -> dict[str, float]:
    """Gain over the better pure strategy with its interval, in points, and what it read."""
    pure = {arm: [row.outcome.scores[arm] for row in every] for arm in ("full", "retrieve")}
    theirs = max(pure.values(), key=fmean)
    drawn = paired_bootstrap(got(every, whole), theirs, [row.document for row in every])
    best = fmean(max(row.outcome.scores.values()) for row in every)
    return {
        "gain": round(100 * drawn.difference, 2),
        "low": round(100 * drawn.low, 2),
        "high": round(100 * drawn.high, 2),
        "token_share": round(share(every, whole), 3),
        "room": round(100 * (best - fmean(theirs)), 2),
    }


def proxy(every: Sequence[Row]) -> dict[str, float]:
    """The data's own figures, with every label known."""
    full, cut = (np.array([row.outcome.scores[arm] for row in every]) for arm in ("full", "retrieve"))

    def known(key: Callable[[Row], object]) -> float:
        names = [str(key(row)) for row in every]
        pairs = [[np.array(names) == name] for name in sorted(set(names))]
        return sum(max(full[at].sum(), cut[at].sum()) for [at] in pairs) / len(every)

    told = {"full": full.mean(), "retrieve": cut.mean(), "kind": known(lambda row: row.outcome.kind)}
    told |= {"kind_reader": known(lambda row: (row.outcome.kind, row.outcome.reader))}
    return {name: round(float(value), 4) for name, value in (told | {"oracle": np.maximum(full, cut).mean()}).items()}


def calibration(every: Sequence[Row], said: np.ndarray) -> float:
    """Expected calibration error over ten equal bins, both strategies together."""
    got_ = np.array([[row.outcome.scores["full"], row.outcome.scores["retrieve"]] for row in every])
    at = np.minimum(9, (said * 10).astype(int))
    return float(sum(abs((said - got_)[at == b].sum()) for b in range(10)) / said.size)


def lara(data: Path) -> Figures:
    """Every figure of this part."""
    every = rows(data / "lara")
    whole, said = routed(every, folds(every, lambda row: row.document, 10))
    away, _ = routed(every, folds(every, lambda row: row.domain, 3))
    result: dict[str, Any] = {"proxy": {}, "intervals": {}}
    gains = []
    for length in LENGTHS:
        at = [i for i, row in enumerate(every) if row.length == length]
        part = [every[i] for i in at]
        result["proxy"][length] = proxy(part)
        told_ = result["intervals"][length] = against(part, whole[at])
        result["intervals"][f"unseen_domain_{length}"] = against(part, away[at])
        result |= {f"lara_{length}_gain": told_["gain"], f"lara_{length}_token_share": told_["token_share"]}
        gains.append((len(at) * told_["gain"], len(at) * told_["room"]))
    unseen = result["intervals"]["unseen_domain"] = against(every, away)
    spent = [row.milliseconds for row in {row.outcome.question: row for row in every}.values()]
    return result | {
        "oracle_gap_closed": round(sum(gain for gain, _ in gains) / sum(room for _, room in gains), 3),
        "unseen_domain_gain": unseen["gain"],
        "unseen_domain_token_share": unseen["token_share"],
        "calibration_error": round(calibration(every, said), 4),
        "routing_ms": round(median(spent), 2),
    }


def main() -> None:
    """Measure, store and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--only", nargs="*", choices=["lara"])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    head: Figures = {"benchmark": "routing", "date": time.strftime("%Y-%m-%d")}
    stored = Path(__file__).parent / "results" / "routing.json"
    told(wanted, measured(wanted, resumed(head, {}), ["lara"], lambda _: lara(wanted.data), {"lara": NAMES}, stored))


if __name__ == "__main__":
    main()
