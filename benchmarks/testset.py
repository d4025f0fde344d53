"""Test questions that training never saw: the training's own division of the data folder, its test part alone."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # `training` is no installed package

from ragctx.corpus.sentences import bounds
from training.reader.examples import Example, Passage
from training.reader.negatives import mine, pool, unpaired
from training.reader.sets import read

WIKI, NQ, SELQA, MULTIHOP = "squadshifts_new_wiki", "nq_open_oracle", "selqa", "multihop_hotpot_2wiki_musique"
SETS = (WIKI, NQ, SELQA, MULTIHOP, "covidqa", "fairytaleqa")
HARD = 24
"""Hard passages looked for; some turn out to answer too and are left out."""


class Words:
    """BM25 over a set's test passages, titles included; it ranks sentences by the same word weights.

    Args:
        passages: of the set.
    """

    def __init__(self, passages: Sequence[Passage]) -> None:
        counts: dict[str, int] = {}
        lengths = []
        for passage in passages:
            said = words(f"{passage.title} {passage.text}")
            lengths.append(len(said))
            for word in set(said):
                counts[word] = counts.get(word, 0) + 1
        size = len(passages)
        self.weights = {word: np.log(1 + (size - n + 0.5) / (n + 0.5)) for word, n in counts.items()}
        self.rare = np.log(1 + (size + 0.5) / 0.5)
        self.length = float(np.mean(lengths)) if lengths else 1.0

    def score(self, question: str, text: str, length: float = 0.0, k1: float = 0.9, b: float = 0.4) -> float:
        """BM25 of one text; `length` is the usual one of such texts, by default that of the passages."""
        said = words(text)
        norm = k1 * (1 - b + b * len(said) / (length or self.length))
        held = {word: said.count(word) for word in set(words(question))}
        return float(sum(self.weights.get(w, self.rare) * n * (k1 + 1) / (n + norm) for w, n in held.items() if n))


def words(text: str) -> list[str]:
    """Lower-case words."""
    return re.findall(r"\w+", text.lower())


@cache
def test(data: Path) -> dict[str, tuple[list[Example], Words]]:
    """Every set's test questions with their hardest passages, and its word weights."""
    asked = [example for example in unseen(read(data)) if example.source in SETS]
    every = unpaired(mine(asked, HARD))
    groups = {name: [e for e in every if e.source == name] for name in SETS}
    return {name: (group, Words(pool(group))) for name, group in groups.items() if group}


def unseen(every: Sequence[Example]) -> list[Example]:
    """The test part without rivals that training saw: a multi-hop question brings passages of any article along."""
    seen = {p.article for e in every if e.part == "train" for p in (e.passage, *e.negatives)}
    return [
        replace(example, negatives=tuple(p for p in example.negatives if p.article not in seen))
        for example in every
        if example.part == "test"
    ]


def wanted(example: Example) -> list[tuple[int, int]]:
    """Ranges of the gold passage of which one must be kept: its answers, or the sentences of its evidence."""
    if example.answers:
        return list(example.answers)
    marked = example.evidence
    return [(s, e) for s, e in bounds(example.passage.text) if any(s < last and first < e for first, last in marked)]


def candidates(example: Example, hard: int, bm25: Words) -> list[Passage]:
    """The gold passage and its hardest rivals in the order in which BM25 finds them."""
    passages = [example.passage, *example.negatives[:hard]]
    return sorted(passages, key=lambda p: (-bm25.score(example.question, f"{p.title} {p.text}"), p.text))


def answered(example: Example) -> list[str]:
    """The gold answers as texts."""
    return [example.passage.text[start:end] for start, end in example.answers]
