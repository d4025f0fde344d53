"""The figures of the reading model: reading, declining, pruning, reranking, speed. One JSON object at the end.

    python benchmarks/pruning.py --data DIR [--model DIR] [--full FILE] [--holdout FILE] [--quick] [--json] [--only ...]

All questions are test questions: their articles were in no set's training part, and `nq_open_oracle` was not trained on
at all. `--quick` takes a sample of each set and leaves out what needs a language model. What cannot be measured without
a data folder, a model or a file is null, and `why_null` says why.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import Any

import parts
from core import NO_DATA, NO_LOCAL, machine
from parts import Figures, null

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # `training` is no installed package
STORED = Path(__file__).parent / "results" / "pruning.json"
PACKAGED = ROOT / "ragctx" / "encoders" / "extractive" / "weights"
QUICK, LONG = 40, 0
NO_MODEL = "needs --model DIR (a causal language model) or RAGCTX_BENCH_MODEL"
NO_FULL = "needs --full FILE, the ONNX file before quantisation (training/reader/README.md)"
NO_HOLDOUT = "needs --holdout FILE, e.g. examples/holdout.jsonl"
ENCODER = "sentence-transformers:all-minilm-l6-v2"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("RAGCTX_BENCH_DATA"))
    parser.add_argument("--model", default=os.environ.get("RAGCTX_BENCH_MODEL"), help="folder of a causal LM")
    parser.add_argument("--full", type=Path, help="the model in full precision, to tell what int8 costs")
    parser.add_argument("--holdout", type=Path, help="question file for the whole pipeline, never used for tuning")
    parser.add_argument("--ranker", default="extractive", help="the model that is measured")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--questions", type=int, help=f"of each set at most; {QUICK} when quick, else all (0)")
    parser.add_argument("--quick", action="store_true", help="a sample of each set, and no language model")
    parser.add_argument("--json", action="store_true", help="print the JSON object alone, on one line")
    parser.add_argument("--store", type=Path, help="write the object to a file as well")
    parser.add_argument("--resume", action="store_true", help="go on with the parts that the --store file lacks")
    parser.add_argument("--only", nargs="*", choices=list(PARTS), help="only these parts", metavar="PART")
    wanted = parser.parse_args()
    if wanted.resume and not wanted.store:
        parser.error("--resume goes on with a file: name it with --store")
    wanted.data = Path(wanted.data) if wanted.data else None
    if wanted.questions is None:
        wanted.questions = QUICK if wanted.quick else LONG
    return wanted


@cache
def ranker(spec: str, threads: int) -> Any:
    from ragctx.encoders import open_ranker

    return open_ranker(spec, threads=threads)


@cache
def cosine() -> Any:
    from weighers import Cosine

    from ragctx.encoders import open_encoder

    return Cosine(open_encoder(ENCODER))


def asked(wanted: argparse.Namespace, name: str) -> list[Any]:
    """The questions of a set that this run asks."""
    import testset

    from training.reader.examples import sample

    group, _ = testset.test(wanted.data).get(name, ([], None))
    return sample(group, wanted.questions)


def _reading(wanted: argparse.Namespace) -> Figures:
    if not wanted.data:
        return null(NO_DATA, *PROMISED["reading"])
    import testset
    from pointing import reading

    model = ranker(wanted.ranker, wanted.threads)
    wiki, other = (reading(model, asked(wanted, name)) for name in (testset.WIKI, testset.NQ))
    return {
        "reader_f1": wiki["f1"],
        "reader_em": wiki["em"],
        "reader_questions": wiki["questions"],
        "left_out_f1": other["f1"],
        "left_out_em": other["em"],
        "left_out_questions": other["questions"],
    }


def _declining(wanted: argparse.Namespace) -> Figures:
    if not wanted.data:
        return null(NO_DATA, *PROMISED["declining"])
    import testset
    from pointing import null_auc

    model = ranker(wanted.ranker, wanted.threads)
    by_set = {name: null_auc(model, asked(wanted, name)) for name in testset.SETS}
    known = {name: value for name, value in by_set.items() if value is not None}
    return {"null_auc": round(fmean(known.values()), 4), "null_auc_by_set": known}


def _keeping(wanted: argparse.Namespace) -> Figures:
    if not wanted.data:
        return null(NO_DATA, *PROMISED["keeping"])
    import keeping
    import testset
    import weighers

    model = ranker(wanted.ranker, wanted.threads)
    rows: dict[int, dict[str, dict[str, float]]] = {20: {}, 10: {}}
    left: dict[int, list[float]] = {20: [], 10: []}
    for name, (_, words) in testset.test(wanted.data).items():
        examples = keeping.usable(asked(wanted, name))
        ways = {"model": (weighers.model(model), None)}
        ways |= {way: (weigh, keeping.FLOOR) for way, weigh in _baselines(model, words).items()}
        for (way, (weigh, floor)), percent in itertools.product(ways.items(), rows):
            value, share = keeping.kept(examples, words, percent / 100, weigh, floor=floor)
            rows[percent].setdefault(way, {})[name] = value
            left[percent] += [share] if way == "model" else []
    told = [_kept(percent, by_way) for percent, by_way in rows.items()]
    return told[0] | told[1] | {f"kept_words_at_{percent}": round(fmean(each), 4) for percent, each in left.items()}


def _baselines(model: Any, words: Any) -> dict[str, Any]:
    import weighers

    lexical = {"bm25": weighers.bm25(words), "dslr": weighers.dslr(model)}
    return lexical | ({"cosine": cosine().weigh} if find_spec("sentence_transformers") else {})


def _kept(percent: int, rows: dict[str, dict[str, float]]) -> Figures:
    ours = rows.pop("model")
    return {
        f"kept_at_{percent}": round(fmean(ours.values()), 4),
        f"kept_at_{percent}_by_set": ours,
        f"baseline_kept_at_{percent}": {name: round(fmean(each.values()), 4) for name, each in rows.items()},
        f"baseline_kept_at_{percent}_by_set": rows,
    }


def _reranking(wanted: argparse.Namespace) -> Figures:
    if not wanted.data or find_spec("sentence_transformers") is None:
        return null(NO_LOCAL if wanted.data else NO_DATA, *PROMISED["reranking"])
    import reranking
    import testset
    import weighers

    weigh = weighers.model(ranker(wanted.ranker, wanted.threads))
    by_set = {
        name: reranking.measure(asked(wanted, name), words, weigh, cosine())
        for name, (_, words) in testset.test(wanted.data).items()
    }
    ways = ("model", "bm25", "cosine", "with_bm25", "with_cosine", "retrieve")
    means = {way: round(fmean(row[way] for row in by_set.values()), 4) for way in ways}
    return {"rerank_mrr": means.pop("model"), "baseline_rerank_mrr": means, "rerank_mrr_by_set": by_set}


def _speed(wanted: argparse.Namespace) -> Figures:
    import reading_speed

    model = ranker(wanted.ranker, wanted.threads)
    count = 60 if wanted.quick else 200
    speeds = {f"passages_per_s_{n}": reading_speed.per_second(model, n, count) for n in (128, 256)}
    return {**speeds, "threads": wanted.threads, "model_mb": round((PACKAGED / "reader.onnx").stat().st_size / 1e6, 2)}


def _first(_: argparse.Namespace) -> Figures:
    import reading_speed

    return reading_speed.first_answer_s()


def _int8(wanted: argparse.Namespace) -> Figures:
    if not wanted.data or not wanted.full:
        return null(NO_FULL if wanted.data else NO_DATA, "int8_f1_loss")
    import testset
    from pointing import full_precision, reading

    examples = asked(wanted, testset.WIKI) + asked(wanted, testset.NQ)
    with tempfile.TemporaryDirectory() as folder:
        full = full_precision(wanted.full, PACKAGED, Path(folder), wanted.threads)
        whole, small = reading(full, examples), reading(ranker(wanted.ranker, wanted.threads), examples)
    return {"int8_f1_loss": round(whole["f1"] - small["f1"], 4), "full_f1": whole["f1"], "int8_f1": small["f1"]}


def _embedding(wanted: argparse.Namespace) -> Figures:
    if not wanted.data or find_spec("sentence_transformers") is None:
        return null(NO_LOCAL if wanted.data else NO_DATA, "embedding_recall")
    if wanted.quick:
        return null("takes the better part of an hour: run without --quick", "embedding_recall")
    import recall

    def dense(name: str, encoder: str) -> object:
        found = recall.measure_set(wanted.data / name, wanted.questions, encoder=encoder, retrievers=["dense"])
        return found["dense"]

    by_set = {name: {"ours": dense(name, wanted.ranker), "minilm": dense(name, ENCODER)} for name in recall.SETS}
    return {"embedding_recall": by_set}


def _downstream(wanted: argparse.Namespace) -> Figures:
    if not wanted.data or not wanted.model or wanted.quick:
        why = NO_DATA if not wanted.data else NO_MODEL if not wanted.model else "run without --quick"
        return null(why, "downstream", "side_by_side")
    import downstream
    import testset
    import weighers

    from training.reader.examples import sample

    reader = f"local:{wanted.model}"
    questions, (_, words) = asked(wanted, testset.WIKI), testset.test(wanted.data)[testset.WIKI]
    weigh = weighers.model(ranker(wanted.ranker, wanted.threads))
    few = sample(questions, min(wanted.questions or 100, 100))
    return {
        "downstream": downstream.on_pruned(reader, few, words, weigh),
        "side_by_side": downstream.side_by_side(["local:smollm2-135m", reader], few, wanted.ranker),
    }


def _holdout(wanted: argparse.Namespace) -> Figures:
    if not wanted.holdout:
        return null(NO_HOLDOUT, "holdout_right", "holdout_declined", "holdout_facts_declined")
    import downstream

    return downstream.holdout(wanted.holdout, ROOT / "examples" / "documents", "extractive", wanted.ranker)


PARTS: dict[str, Callable[[argparse.Namespace], Figures]] = {
    "reading": _reading,
    "declining": _declining,
    "keeping": _keeping,
    "reranking": _reranking,
    "speed": _speed,
    "first": _first,
    "int8": _int8,
    "embedding": _embedding,
    "downstream": _downstream,
    "holdout": _holdout,
}


PROMISED = {
    "reading": ("reader_f1", "reader_em", "left_out_f1"),
    "declining": ("null_auc",),
    "keeping": ("kept_at_20", "kept_at_10", "baseline_kept_at_20", "baseline_kept_at_10"),
    "reranking": ("rerank_mrr", "baseline_rerank_mrr", "rerank_mrr_by_set"),
    "speed": ("passages_per_s_128", "passages_per_s_256", "model_mb"),
    "first": ("first_answer_s",),
    "int8": ("int8_f1_loss",),
    "embedding": ("embedding_recall",),
    "downstream": ("downstream", "side_by_side"),
    "holdout": ("holdout_right", "holdout_declined", "holdout_facts_declined"),
}
"""Figures that are in every result, null where they could not be measured."""


def measured(wanted: argparse.Namespace) -> Figures:
    """Every part that is asked for."""
    return parts.measured(wanted, begun(wanted), PARTS, lambda name: PARTS[name](wanted), PROMISED, STORED)


def begun(wanted: argparse.Namespace) -> dict[str, Any]:
    """The head of a result, and with `--resume` the finished parts of an earlier one like it."""
    command = " ".join(["python", "benchmarks/pruning.py", *(["--quick"] if wanted.quick else [])])
    head: Figures = {"date": str(date.today()), "machine": machine(), "command": command}
    head |= {"weights": ranker(wanted.ranker, wanted.threads).facts.identity, "asked_of_each_set": wanted.questions}
    known = json.loads(wanted.store.read_text()) if wanted.resume and wanted.store.exists() else {}
    alike = all(known.get(name) == head[name] for name in ("command", "weights", "asked_of_each_set"))
    return parts.resumed(head, known if known and alike else {})


def main() -> None:
    wanted = options()
    parts.told(wanted, measured(wanted))


if __name__ == "__main__":
    main()
