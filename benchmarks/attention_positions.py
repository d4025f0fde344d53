"""A model of 8,192 tokens on longer texts: single needles, with positions as they are, by YaRN and by dual chunks.

Each haystack holds five needles that are nothing like each other and is read once for the five questions. Answers are
decoded behind the text, so that decoding attends at those positions too.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

from attention_cells import Cells, Found
from attention_clock import rounded
from attention_needles import singles

if TYPE_CHECKING:
    from attention_engine import Rig

MODEL = "smollm2-135m"
TRAINED, LENGTHS, HAYSTACKS = 8192, (7168, 16384, 32768), 4
WAYS = ("", "dual:4", "sharp-dual:4", "yarn:4")
PLAIN = "plain"
ANSWER, ROOM = 24, 96  # tokens of an answer, and of a prompt besides its haystack


def measure(cells: Cells, wanted: argparse.Namespace) -> Found:
    """Every way at every length, a way at a time, since positions are the engine's."""
    lengths = (512, 4608) if wanted.toy else LENGTHS
    lengths = tuple(length for length in lengths if not wanted.lengths or length in wanted.lengths)
    model = wanted.model if wanted.toy else MODEL
    rows = []
    for way in WAYS[:2] if wanted.toy else WAYS:
        shelf = _Shelf(model, max(lengths), way)
        for length, seed in product(lengths, range(1 if wanted.toy else HAYSTACKS)):
            settings = {"model": "toy" if wanted.toy else MODEL, "way": way or PLAIN, "tokens": length}
            label = f"{length}-{(way or PLAIN).replace(':', '-')}-{seed}"
            ask = partial(answered, shelf, length, wanted.seed + seed)
            found = cells.cell("positions", label, settings | {"haystack": wanted.seed + seed}, ask)
            rows.append({"way": way or PLAIN, "length": length} | found)
        shelf.close()
    return figures(rows)


def answered(shelf: _Shelf, length: int, seed: int) -> Found:
    """What is answered about one haystack, and whose attention did it."""
    rig = shelf.rig()
    before = rig.counts.told()
    hay = singles(rig.counter.count, length - ROOM - ANSWER, seed)
    prompts = hay.prompts(["single"], len(hay.asked))
    texts = rig.ask([rig.prompt(said) for _, said in prompts], ANSWER)
    answers = [
        {"score": asked.score(text), "answer": text, "wanted": asked.answers[0]}
        for (asked, _), text in zip(prompts, texts, strict=True)
    ]
    after = rig.counts.told()
    return {
        "answers": answers,
        "calls_of_our_kernel": after["own"] + after["sparse"] - before["own"] - before["sparse"],
    }


def figures(rows: Sequence[Found]) -> Found:
    """Scores by way and length, and what dual chunks keep of the model's own score within its training length."""
    table: dict[str, dict[str, float]] = {}
    for way, length in _cells(rows):
        scores = [
            each["score"] for row in rows if (row["way"], row["length"]) == (way, length) for each in row["answers"]
        ]
        table.setdefault(way, {})[str(length)] = rounded(sum(scores) / len(scores))
    found: Found = {"positions_by_length": table, "positions_rows": list(rows)}
    own = table.get(PLAIN, {}).get(str(LENGTHS[0]), 0.0)
    for name, length in (("16k", "16384"), ("32k", "32768")):
        for way in (each for each in ("dual:4", "sharp-dual:4", "yarn:4") if own and length in table.get(each, {})):
            found[f"{way.partition(':')[0].replace('-', '_')}_{name}_share"] = rounded(table[way][length] / own)
    absent = [name for name in ("dual_16k_share", "dual_32k_share") if name not in found]
    why = f"the model's own score at {LENGTHS[0]} tokens is 0 or was not asked for"
    return found | ({**dict.fromkeys(absent), "why_null": dict.fromkeys(absent, why)} if absent else {})


def _cells(rows: Sequence[Mapping[str, object]]) -> Iterator[tuple[object, object]]:
    yield from dict.fromkeys((row["way"], row["length"]) for row in rows)


class _Shelf:
    """The engine of one way, loaded when it is asked for."""

    def __init__(self, model: str, longest: int, way: str) -> None:
        self._name, self._window, self._way, self._rig = model, longest, way, None

    def rig(self) -> Rig:
        """The engine."""
        if self._rig is None:
            from attention_engine import Rig

            self._rig = Rig.open(self._name, self._window, positions=self._way)
        return self._rig

    def close(self) -> None:
        """Release the engine, where there is one."""
        if self._rig is not None:
            self._rig.close()
