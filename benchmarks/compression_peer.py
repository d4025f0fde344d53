"""The package `llmlingua`, run by a Python of its own on the same weights: rows as `peer_llmlingua.py` writes them."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compression_rig import scorer_of
from compression_sources import Source
from peer_llmlingua import SAMPLE

from ragctx.models import pieces_of
from ragctx.readers.local_weights import find
from ragctx.types import Context, Passage, Span
from ragctx.work import Score, Scores, raised

SCRIPT = Path(__file__).parent / "peer_llmlingua.py"
_KEPT = ("bos_token", "eos_token", "pad_token", "unk_token")


@dataclass(frozen=True, slots=True)
class Task:
    """One call of the package: the tokens that it is to leave are counted by its own tokenizer."""

    id: str
    source: Source
    target: int

    @property
    def row(self) -> dict[str, Any]:
        """What the script reads."""
        texts = [passage.text for passage in self.source.context.passages]
        return {"id": self.id, "question": self.source.question.text, "contexts": texts, "target": self.target}


@dataclass(frozen=True, slots=True)
class Peer:
    """Its rows, by task, and what it said of itself."""

    head: dict[str, Any]
    rows: dict[str, dict[str, Any]]


def compressed(wanted: argparse.Namespace, tasks: Sequence[Task], file: Path | None = None) -> Peer:
    """The package's rows for some tasks.

    Args:
        wanted: `peer` is the Python that has the package, `threads` how many it may use.
        tasks: in any order.
        file: keeps rows; those that are there are not made again.
    """
    known = _known(file)
    rows = {row["id"]: row for row in known if "id" in row}
    left = [task for task in tasks if task.id not in rows]
    heads = [row for row in known if "id" not in row]
    if left or not heads:
        with tempfile.TemporaryDirectory() as scratch:
            for row in _run(wanted, left, Path(scratch)):
                if file:
                    with file.open("a", encoding="utf-8") as lines:
                        lines.write(json.dumps(row) + "\n")
                if "id" in row:
                    rows[row["id"]] = row
                else:
                    heads.append(row)
    return Peer(heads[-1], rows)


def _known(file: Path | None) -> list[dict[str, Any]]:
    """Whole lines of a file; one that a kill cut off is made again."""
    if file is None or not file.exists():
        return []
    whole = [line for line in file.read_text("utf-8").splitlines(keepends=True) if line.endswith("\n")]
    file.write_text("".join(whole), "utf-8")
    return [json.loads(line) for line in whole]


def _run(wanted: argparse.Namespace, tasks: Sequence[Task], scratch: Path) -> Any:
    given = scratch / "tasks.jsonl"
    given.write_text("".join(json.dumps(task.row) + "\n" for task in tasks), "utf-8")
    command = [wanted.peer, str(SCRIPT), "--model", str(folder(scratch / "weights")), "--threads", str(wanted.threads)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"OMP_NUM_THREADS": str(wanted.threads)}
    with (
        given.open() as tasks_in,
        subprocess.Popen(command, stdin=tasks_in, stdout=subprocess.PIPE, text=True, env=environment) as process,
    ):
        assert process.stdout is not None
        yield from map(json.loads, process.stdout)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")


def folder(target: Path) -> Path:
    """The bundled scorer's weights as transformers 4 reads them: it looks for some facts elsewhere than 5 does."""
    source = find("smollm2-135m").folder
    target.mkdir(parents=True)
    config = json.loads((source / "config.json").read_text("utf-8"))
    config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
    config["torch_dtype"] = config.pop("dtype")
    tokenizer = json.loads((source / "tokenizer_config.json").read_text("utf-8"))
    told = {name: tokenizer[name] for name in _KEPT} | {"tokenizer_class": "PreTrainedTokenizerFast"}
    (target / "config.json").write_text(json.dumps(config), "utf-8")
    (target / "tokenizer_config.json").write_text(json.dumps(told), "utf-8")
    for name in ("model.safetensors", "tokenizer.json"):
        (target / name).symlink_to(source / name)
    return target


def difference(wanted: argparse.Namespace, head: dict[str, Any]) -> float:
    """The largest difference of log-probabilities that both find for a sentence: the weights are the same ones."""
    scorer = scorer_of(wanted, "float32")
    first, *rest = pieces_of(scorer.facts).pieces(SAMPLE)[0]
    [reply] = scorer.serve([Score((first,), tuple(rest))], lambda i, text: None)
    scorer.close()
    found = raised(reply)
    assert isinstance(found, Scores)
    return round(max(abs(a - b) for a, b in zip(found.logprobs, head["sample"], strict=True)), 5)


def context(task: Task, row: dict[str, Any]) -> Context:
    """What the package left, as it wrote it: kept tokens side by side, its documents in its order."""
    passages = task.source.context.passages
    return Context(tuple(_passage(passages[number], places) for number, places in row["kept"] if places))


def _passage(given: Passage, places: Sequence[Sequence[int]]) -> Passage:
    text = "".join(given.text[start:end] for start, end in _merged(places))
    name = given.spans[0].document
    return Passage(text, (Span(name, 0, len(given.text)),), given.source, derived=True)


def _merged(places: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Tokens of one character share its place."""
    found: list[tuple[int, int]] = []
    for start, end in places:
        if found and start < found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def narrowed(task: Task, row: dict[str, Any]) -> Context:
    """What the package left, at its places in the source."""
    passages = task.source.context.passages
    return Context(tuple(passages[number].narrowed([tuple(p) for p in places]) for number, places in row["kept"]))
