"""Needles that lead to needles: assignments to trace, and threads from key to key.

Tracing after RULER's variable tracking (arXiv 2404.06654), threads after Needle Threading (Roberts et al. 2024, arXiv
2411.05000); words and sentences are ours.
"""

from __future__ import annotations

import random
import string

from ragctx.evaluation.datasets.example import Example
from ragctx.evaluation.needles.hay import Hay, depths


def tracing(hay: Hay, chains: int = 1, hops: int = 4) -> Example:
    """Chains of boxes, each box said to hold what the one before it holds; all boxes of one chain are asked for.

    Args:
        hay: the text around.
        chains: how many, one of which is asked for.
        hops: of each after its first box.

    Raises:
        ValueError: fewer than one chain, or fewer hops than none.

    Example:
        >>> len(tracing(Hay(80), hops=2).question.answers)
        3
    """
    _must(chains, hops)
    rng = hay.random("tracing")
    boxes, weights = _names(chains * (hops + 1), rng), rng.sample(range(10_000, 100_000), chains)
    # In order within a chain, so that reading on is enough to follow it.
    where = [sorted(depths(hops + 1, rng)) for _ in range(chains)]
    needles, gold = [], []
    for chain in range(chains):
        mine = boxes[chain * (hops + 1) : (chain + 1) * (hops + 1)]
        for hop, box in enumerate(mine):
            said = f"coin number {weights[chain]}" if hop == 0 else f"whatever box {mine[hop - 1]} holds"
            needles.append((where[chain][hop], f"Box {box} holds {said}."))
            gold += [len(needles) - 1] if chain == 0 else []
    asked = f"Which boxes hold coin number {weights[0]}? Name every one, also those that hold it by way of others."
    return hay.example("needle-tracing", needles, asked, boxes[: hops + 1], gold)


def threads(hay: Hay, hops: int = 4, others: int = 3, *, forward: bool = False) -> Example:
    """A thread of notes, each naming the next; the last note's word is asked for, from the first one's name.

    Args:
        hay: the text around.
        hops: from the first note to the last.
        others: further threads, which are not asked for.
        forward: the notes stand in the thread's order; shuffled otherwise, which is harder.

    Raises:
        ValueError: hops or other threads are below none.

    Example:
        >>> found = threads(Hay(80), hops=2)
        >>> len(found.gold), len(found.question.answers)
        (3, 1)
    """
    _must(others + 1, hops)
    rng = hay.random("threads")
    size = hops + 1
    notes = _names(size * (others + 1), rng)
    words = _names(others + 1, rng, letters=7)
    where = depths(len(notes), rng)
    needles = []
    for thread in range(others + 1):
        mine, places = notes[thread * size : (thread + 1) * size], where[thread * size : (thread + 1) * size]
        if forward:
            places.sort()
        ends = [*(f"leads on to note {name}" for name in mine[1:]), f"ends with the word {words[thread]}"]
        needles += [(place, f"Note {name} {end}.") for place, name, end in zip(places, mine, ends, strict=True)]
    asked = f"Begin at note {notes[0]} and follow the notes to the end. With which word does the last one end?"
    return hay.example("needle-threads", needles, asked, words[:1], range(size))


def _must(threads: int, hops: int) -> None:
    if threads < 1 or hops < 0:
        raise ValueError(f"{threads} threads of {hops} hops leave nothing to ask for: give at least 1 and 0")


def _names(count: int, rng: random.Random, letters: int = 5) -> list[str]:
    """Different names of capital letters."""
    made: dict[str, None] = {}
    while len(made) < count:
        made["".join(rng.choices(string.ascii_uppercase, k=letters))] = None
    return list(made)
