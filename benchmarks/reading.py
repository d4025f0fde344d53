"""Every strategy over the example documents and over rows of data sets: score, tokens, calls, seconds. One JSON object.

    python benchmarks/reading.py --data DIR --model DIR --folder JOBS [--kept FILE] [--rows 100] [--ways NAME ...]
    python benchmarks/reading.py --quick --json

Rows are asked in portions, each strategy's as a job of the product's own batch store in `--folder`: a run that was
killed goes on, with nothing paid for twice. Finished rows are added to `--kept`, which holds numbers alone; they are
not asked again wherever the file is. A question without an answer is a failed row that scores 0.
`--quick` asks one question of each kind over the shortest example documents, and takes what it cannot measure from
`results/reading.json`; `stored` tells which, and of when. What cannot be measured at all is null, and `why_null` says
why.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from itertools import zip_longest
from pathlib import Path
from statistics import fmean, median
from typing import Any

import chains
import reviews
from parts import Figures, told, with_stored
from reading_jobs import Row, asked, missing, rows, ways
from reading_kept import Kept, job
from reading_rows import SETS, Rows, of_data, of_examples

from ragctx import Pipeline, Question
from ragctx.contracts import Strategy
from ragctx.corpus import Corpus
from ragctx.readers import open_model
from ragctx.work import Reply, Request, Work

STORED = Path(__file__).parent / "results" / "reading.json"
NO_DATA = "needs --data DIR or RAGCTX_BENCH_DATA"
NEW = ("compress", "extract", "full", "retrieve")
"""The strategies with one call, which the others are measured against."""


def options(said: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("RAGCTX_BENCH_DATA"))
    parser.add_argument("--model", default=os.environ.get("RAGCTX_BENCH_MODEL"), help="folder of the model that reads")
    parser.add_argument("--reader", help="any reader instead, e.g. openai:MODEL@BASE_URL; the offline default if none")
    parser.add_argument("--folder", type=Path, help="where jobs and indexes are kept; a temporary one if none is given")
    parser.add_argument("--rows", type=int, default=100, help="of the data sets, all together")
    parser.add_argument(
        "--portion", type=int, default=10, help="rows that every strategy is asked before the next ones"
    )
    parser.add_argument("--kept", type=Path, help="file of finished rows")
    parser.add_argument("--dtype", default="bfloat16", help="precision of --model")
    parser.add_argument("--threads", type=int, help="of --model; all cores by default")
    parser.add_argument("--tokens", type=int, nargs=2, default=(1000, 6000), help="of a row's texts, least and most")
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--ways", nargs="+", help="only these strategies, or `retrieve over RETRIEVER`")
    parser.add_argument("--backwards", action="store_true", help="last portion first, for a second process")
    parser.add_argument(
        "--finished", action="store_true", help="ask nothing: tell of the portions in --kept that every strategy has"
    )
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no further row after so many")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--store", type=Path, help="write the object to a file as well")
    return parser.parse_args(said)


def in_turns(questions: Sequence[Question]) -> list[Question]:
    """One of every kind, then the next of every kind: the first portions are like all of them."""
    kinds: dict[str, list[Question]] = {}
    for question in questions:
        kinds.setdefault(question.kind, []).append(question)
    return [one for turn in zip_longest(*kinds.values()) for one in turn if one is not None]


def batched(questions: Sequence[Question], count: int) -> Iterator[Sequence[Question]]:
    """So many at a time."""
    return (questions[at : at + count] for at in range(0, len(questions), count))


@contextmanager
def _place(wanted: argparse.Namespace) -> Any:
    with tempfile.TemporaryDirectory() as scratch:
        folder = wanted.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder


def reader(wanted: argparse.Namespace) -> object:
    """What the reader is opened by, or the reader itself."""
    if wanted.reader or not wanted.model:
        return wanted.reader or "auto"
    return open_model(f"local:{wanted.model}", dtype=wanted.dtype, threads=wanted.threads)


def _examples(wanted: argparse.Namespace, pipeline: Pipeline, folder: Path, until: float) -> Figures:
    return {"rows": _read("examples", of_examples(1 if wanted.quick else 0), wanted, pipeline, folder, until)}


def _data(wanted: argparse.Namespace, pipeline: Pipeline, folder: Path, until: float) -> Figures:
    if not wanted.data:
        return {"why_null": {"data_rows": NO_DATA}}
    if wanted.quick:
        return {"why_null": {"data_rows": "left out by --quick"}}
    chosen = of_data(Path(wanted.data), wanted.rows, tuple(wanted.tokens), wanted.sets)
    return {"rows": _read("data", chosen, wanted, pipeline, folder, until), "data_rows": len(chosen.questions)}


def _read(
    part: str, chosen: Rows, wanted: argparse.Namespace, pipeline: Pipeline, folder: Path, until: float
) -> list[Row]:
    """All rows of all strategies, portion by portion; one that cannot begin gives failed rows."""
    corpus = Corpus.over(*chosen.documents, folder=folder / f"{part}-index")
    kept = Kept(wanted.kept, f"{pipeline.models.reader.identity} {wanted.dtype if wanted.model else ''}".strip())
    told: list[Row] = []
    arms = ways(wanted.ways)
    portions = list(batched(in_turns(chosen.questions), wanted.portion))
    for questions in portions[::-1] if wanted.backwards else portions:
        kept.refresh()
        if wanted.finished and any(kept.left(part, name, questions) for name in arms):
            continue
        for name, way in arms.items():
            told += kept.of(part, name, questions)
            left = kept.left(part, name, questions)
            if left:
                told += _asked(part, (name, way), left, pipeline, corpus, kept, folder, until)
    return told


def _asked(
    part: str,
    strategy: tuple[str, Strategy],
    questions: Sequence[Question],
    pipeline: Pipeline,
    corpus: Corpus,
    kept: Kept,
    folder: Path,
    until: float,
) -> list[Row]:
    """A strategy's rows of some questions, asked now or in a job that was stopped."""
    name, _ = strategy
    file = job(folder, part, name, questions)
    began = time.monotonic()
    if began > until and not file.exists():
        return missing(name, part, questions, "not begun: the time was up")
    try:
        made = rows(name, part, asked(pipeline, corpus, strategy, questions, file, until))
    except Exception as error:  # noqa: BLE001 - one strategy must not lose the others' rows
        traceback.print_exc()
        return missing(name, part, questions, f"{type(error).__name__}: {error}"[:300])
    kept.add(made)
    print(f"{part}, {name}: {len(made)} rows, {time.monotonic() - began:.0f} s", file=sys.stderr)
    return made


def _clustered(wanted: argparse.Namespace, pipeline: Pipeline, folder: Path, until: float) -> Figures:
    """In a folder of its own: summaries that are there already would cost nothing."""

    def answer(requests: Sequence[Request]) -> Sequence[Reply]:
        def asking() -> Work[Sequence[Reply]]:
            return (yield requests)

        return pipeline.engine.run(asking()).result()

    with tempfile.TemporaryDirectory() as scratch:
        corpus = Corpus.of(reviews.reviews(), folder=scratch)
        texts = reviews.QUESTIONS[:2] if wanted.quick else reviews.QUESTIONS
        made = reviews.saving(pipeline.models, answer, corpus, texts)
    return {"clustered_token_reduction": round(made.reduction, 4), "clustered": made.table()}


def _concurrency(wanted: argparse.Namespace, pipeline: Pipeline, folder: Path, until: float) -> Figures:
    made = asdict(chains.measure())
    return {"concurrency_ratio": made["concurrency_ratio"], "concurrency": made}


PARTS: dict[str, Callable[[argparse.Namespace, Pipeline, Path, float], Figures]] = {
    "concurrency": _concurrency,
    "clustered": _clustered,
    "examples": _examples,
    "data": _data,
}
PROMISED = {"concurrency": ("concurrency_ratio",), "clustered": ("clustered_token_reduction",)}


def measured(wanted: argparse.Namespace) -> Figures:
    """Every part that is asked for; one that cannot run does not lose the others' figures."""
    given = [*(["--quick"] if wanted.quick else []), *(["--rows", str(wanted.rows)] if not wanted.quick else [])]
    result: Figures = {"date": str(date.today()), "command": " ".join(["python", "benchmarks/reading.py", *given])}
    nulls: dict[str, str] = {}
    found: list[Row] = []
    until = time.monotonic() + wanted.seconds
    with (
        _place(wanted) as folder,
        Pipeline.over(Corpus.of("Nothing yet."), reader=reader(wanted), cache=False) as pipeline,
    ):
        result["reader"] = Path(pipeline.models.reader.name.removeprefix("local:")).name
        for name in wanted.only:
            try:
                part = PARTS[name](wanted, pipeline, folder, until)
            except Exception as error:  # noqa: BLE001 - see above
                traceback.print_exc()
                part = {"why_null": dict.fromkeys(PROMISED.get(name, (name,)), f"{type(error).__name__}: {error}")}
            found += part.pop("rows", [])
            nulls |= part.pop("why_null", {})
            result |= part
    result |= dict.fromkeys(nulls) | figures(found)
    result["why_null"] = nulls | {n: "no rows" for n in ("estimate_error",) if result.get(n) is None}
    return with_stored(result, json.loads(STORED.read_text()) if wanted.quick and STORED.exists() else {})


def figures(found: Sequence[Row]) -> Figures:
    """What the rows amount to."""
    by = _by_strategy(found)
    table = {name: summed(made) for name, made in by.items()}
    new = {name: row for name, row in table.items() if name not in NEW and row["error"] is not None}
    adaptive = [row["error"] for row in new.values() if not row["fixed"]]
    fixed = [row["worst"] for row in new.values() if row["fixed"]]
    return {
        "strategies": sum(any(not row.failure for row in made) for made in by.values()),
        "estimate_error": max(adaptive, default=None),
        "fixed_error": max(fixed, default=None),
        "estimate_held": min((row["held"] for row in new.values()), default=None),
        "estimate_width": max((row["width"] for row in new.values()), default=None),
        "by_strategy": table,
        "by_part": {
            part: {name: summed(made) for name, made in _by_strategy(r for r in found if r.part == part).items()}
            for part in dict.fromkeys(row.part for row in found)
        },
        **{f"{name}_by_kind": {way: _by_kind(made, name) for way, made in by.items()} for name in COUNTED},
        "failures": _failures(found),
    }


def _by_strategy(found: Iterable[Row]) -> dict[str, list[Row]]:
    by: dict[str, list[Row]] = {}
    for row in found:
        by.setdefault(row.strategy, []).append(row)
    return by


COUNTED = ("score", "tokens", "calls", "seconds")


def _by_kind(made: Sequence[Row], name: str) -> dict[str, float]:
    """Means over the rows of each kind; a failed row scores 0, and has no cost to be averaged."""
    kinds: dict[str, list[float]] = {}
    for row in made:
        if name == "score" or not row.failure:
            kinds.setdefault(row.kind, []).append(getattr(row, name))
    return {kind: round(fmean(values), 3) for kind, values in kinds.items()}


def summed(made: Sequence[Row]) -> Figures:
    """One strategy's means, and how its plans compare with what was billed."""
    done = [row for row in made if not row.failure]
    guessed = [row for row in done if row.expected > 0 and row.prompt > 0]
    errors = sorted(abs(row.expected - row.prompt) / row.prompt for row in guessed)
    told: Figures = {"rows": len(made), "failed": len(made) - len(done), "score": _mean(row.score for row in made)}
    told |= {name: _mean(getattr(row, name) for row in done) for name in COUNTED[1:]}
    return told | {
        "fixed": bool(guessed) and all(row.fixed for row in guessed),
        "error": round(median(errors), 4) if errors else None,
        "worst": round(errors[int(0.95 * (len(errors) - 1))], 4) if errors else None,
        "held": _mean(row.low <= row.prompt <= row.high for row in guessed),
        "width": round(max((row.high / max(1.0, row.low) for row in guessed), default=0.0), 2),
    }


def _mean(values: Iterable[float]) -> float | None:
    held = list(values)
    return round(fmean(held), 3) if held else None


def _failures(found: Sequence[Row]) -> dict[str, dict[str, int]]:
    """Why rows failed, by strategy, the numbers in messages aside."""
    told: dict[str, dict[str, int]] = {}
    for row in found:
        if row.failure:
            why = "".join("#" if c.isdigit() else c for c in row.failure)[:120]
            counts = told.setdefault(row.strategy, {})
            counts[why] = counts.get(why, 0) + 1
    return told


def main(said: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    wanted = options(said)
    told(wanted, measured(wanted))


if __name__ == "__main__":
    main()
