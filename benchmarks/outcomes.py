"""Our own outcome matrix: strategies over questions of many data sets, read by small models. A file of JSON lines.

    python benchmarks/outcomes.py --data DIR --folder JOBS [--model DIR] [--rows 600] [--strategies NAME ...]

Rows are asked in portions with some of every set. A portion's strategies are jobs of the product's own in `--folder`: a
run that was killed goes on, nothing is paid for twice. After each portion `JOBS/outcomes.jsonl` holds all that is
finished; questions that are in it are not asked again, so a folder with that file alone goes on too. It is what
`ragctx calibrate outcomes:FILE` fits and `routing.py --outcomes` measures on; a row holds scores, tokens, seconds and
signals and no text but the question's id. `JOBS/outcomes.json` tells the commands, dates and machines, and what was
asked.

Texts have 1,000 to 6,000 tokens, a tenth of them up to 16,000; of every fifth question over passages the passage that
answers is left out, so that declining is right. Short golds are scored right or wrong, long ones by token F1. Rows are
drawn by the digests of their ids: the same ones in every run, and of a smaller run the first of each set.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import islice, zip_longest
from pathlib import Path

from core import machine
from reading_rows import joined

from ragctx.evaluation.datasets import Example, examples
from ragctx.evaluation.experiment import Experiment
from ragctx.evaluation.outcomes import Matrix, measured
from ragctx.readers import open_model

SETS = (
    "covidqa", "fairytaleqa", "mtrag_un", "multihop_hotpot_2wiki_musique", "multispanqa", "nq_open_oracle", "qmsum",
    "squadshifts_new_wiki", "tatqa",
)  # fmt: skip
STRATEGIES = ("extract", "retrieve", "compress", "full")
USUAL, LONG = (1_000, 6_000), (9_000, 16_000)
"""Tokens of a row's texts: nine of ten rows, and the others where the set has such texts."""
_LOOKED_AT = 4_000
_CHARACTERS = 4.4
_SHORT = 8
"""Words of a gold answer up to which an answer is right or wrong."""
_GONE = 5
"""Of so many questions over passages one has its passage left out."""


def rows(data: Path, count: int, sets: Sequence[str] = SETS) -> list[Example]:
    """About `count` rows, the sets in turns."""
    each = -(-count // len(sets))
    drawn = [of_set(data / name, each) for name in sets if (data / name).is_dir()]
    return [row for turn in zip_longest(*drawn) for row in turn if row is not None]


def of_set(folder: Path, count: int) -> list[Example]:
    """The first rows of a set by the digests of their ids, a tenth of them over long texts; two of a text at most."""
    long = _first(_usable(folder, LONG))[: count // 10]
    taken = {row.question.id for row in long}  # short texts are joined up to either length
    usual = [row for row in _first(_usable(folder, USUAL)) if row.question.id not in taken]
    return sorted([*usual[: count - len(long)], *long], key=lambda row: _digest(f"turn: {row.question.id}"))


def _first(found: Iterator[Example]) -> list[Example]:
    held: Counter[str] = Counter()
    chosen = []
    for row in sorted(found, key=lambda row: _digest(row.question.id)):
        held[row.group] += 1
        if held[row.group] <= 2:
            chosen.append(row)
    return chosen


def _usable(folder: Path, tokens: tuple[int, int]) -> Iterator[Example]:
    """Rows with gold, whose texts together have the wanted length."""
    least, most = (int(bound * _CHARACTERS) for bound in tokens)
    for row in joined(islice(examples(folder), _LOOKED_AT), least):
        size = sum(len(document.text) for document in row.documents)
        if least <= size <= most and (row.question.answers or row.question.answerable is False):
            yield _asked(folder.name, _without(row))


def _without(row: Example) -> Example:
    """The row itself, or with the passage that was its own left out, where no other says the answer."""
    own = [document for document in row.documents if document.id.startswith(f"{row.question.id}#")]
    others = tuple(document for document in row.documents if document not in own)
    rest = "\n".join(document.text[:] for document in others).casefold()
    still = any(gold.casefold() in rest for gold in row.question.answers)
    if len(own) != 1 or not others or still or _digest(f"gone: {row.question.id}") % _GONE:
        return row
    return replace(row, question=replace(row.question, answerable=False), documents=others)


def _asked(name: str, row: Example) -> Example:
    """The row with ids that no other set has, its set as kind, and its measure."""
    documents = tuple(replace(document, id=f"{name}/{document.id}") for document in row.documents)
    question = replace(row.question, id=f"{name}/{row.question.id}", kind=name)
    short = min((len(gold.split()) for gold in question.answers), default=0) <= _SHORT
    return Example(question, documents, (), f"{name}/{row.group}", "correct" if short else "token-f1")


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def options(said: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("RAGCTX_BENCH_DATA"))
    parser.add_argument(
        "--model", default=os.environ.get("RAGCTX_BENCH_MODEL"), help="folder of a causal LM; else the offline default"
    )
    parser.add_argument("--folder", type=Path, required=True, help="where jobs and outcomes are kept")
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--dtype", default="bfloat16", help="precision of the language model")
    parser.add_argument("--threads", type=int, help="of the language model; all cores by default")
    parser.add_argument("--portion", type=int, default=27, help="rows that are asked together")
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES))
    wanted = parser.parse_args(said)
    if not wanted.data:
        parser.error("give --data DIR (or RAGCTX_BENCH_DATA)")
    return wanted


def main(said: Sequence[str] | None = None) -> None:
    """Run what is still to be run, portion by portion, and write the matrix after each."""
    wanted = options(said)
    spec = f"local:{wanted.model}" if wanted.model else "local:smollm2-135m"
    name = Path(wanted.model).name if wanted.model else "smollm2-135m"
    wanted.folder.mkdir(parents=True, exist_ok=True)
    chosen = rows(Path(wanted.data), wanted.rows, wanted.sets)
    known = _known(wanted.folder / "outcomes.jsonl", name)
    left = [row for row in chosen if row.question.id not in known]
    print(f"{len(chosen)} questions, {len(left)} of them to be asked", file=sys.stderr)
    for portion in (left[at : at + wanted.portion] for at in range(0, len(left), wanted.portion)):
        began = time.monotonic()
        folder = wanted.folder / name / f"{_digest(' '.join(row.question.id for row in portion)):016x}"
        reader = open_model(spec, dtype=wanted.dtype, threads=wanted.threads)
        matrix = measured(Experiment(portion, folder, wanted.strategies, {name: reader}), _told(len(portion)))
        named = Matrix(tuple(replace(row, reader=name) for row in matrix.rows))  # the reader's own has its folder
        _write(wanted, named, time.monotonic() - began)


def _known(path: Path, reader: str) -> set[str]:
    """Questions that the reader was asked."""
    return {row.question for row in Matrix.read(path).rows if row.reader == reader} if path.exists() else set()


def _told(count: int) -> Callable[[object], None]:
    last = [0.0]

    def told(event: object) -> None:
        pending = getattr(event, "pending", None)
        if pending is not None and time.monotonic() - last[0] > 60:
            last[0] = time.monotonic()
            print(f"{count - pending} of {count}", file=sys.stderr)

    return told


def _write(wanted: argparse.Namespace, matrix: Matrix, seconds: float) -> None:
    """The rows beside those that the file has, and one more run in its head."""
    path = wanted.folder / "outcomes.jsonl"
    held = Matrix.read(path).rows if path.exists() else ()
    every = Matrix((*held, *matrix.rows)).checked()
    every.write(path)
    told = path.with_suffix(".json")
    runs = json.loads(told.read_text("utf-8"))["runs"] if told.exists() else []
    run = {
        "date": str(date.today()),
        "machine": machine(),
        "command": f"python benchmarks/outcomes.py --data DIR --rows {wanted.rows} --dtype {wanted.dtype} --strategies "
        + " ".join(wanted.strategies),
        "reader": matrix.readers[0],
        "rows": len(matrix.rows),
        "seconds": round(seconds),
    }
    head = {"readers": every.readers, "questions": dict(Counter(row.kind for row in every.rows)), "runs": [*runs, run]}
    told.write_text(json.dumps(head, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(run), flush=True)


if __name__ == "__main__":
    main()
