"""Passages that share the question's words and do not answer it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from training.reader.examples import Example, Passage

KEPT = 12
_DEPTH = 60


def mine(examples: Sequence[Example], kept: int = KEPT) -> list[Example]:
    """The examples with their hardest negatives by BM25: first among the same set's passages, its own rivals included.

    A passage that holds one of the answers is no negative, wherever it stands.

    Args:
        examples: of one part or several; negatives come from the same set and part.
        kept: the most for an example.
    """
    groups: dict[tuple[str, str], list[Example]] = defaultdict(list)
    for example in examples:
        groups[example.source, example.part].append(example)
    return [mined for group in groups.values() for mined in _mined(group, kept)]


def pool(examples: Iterable[Example]) -> list[Passage]:
    """Every passage that the examples know, once."""
    known = dict.fromkeys(example.passage for example in examples)
    known.update(dict.fromkeys(passage for example in examples for passage in example.negatives))
    return list(known)


def unpaired(examples: Iterable[Example]) -> list[Example]:
    """The examples without negatives that are gold for the very same question: a multi-hop question has several.

    Example:
        >>> first, second = Passage("a", "", "Ann wed Bo."), Passage("b", "", "Bo was born in Rome.")
        >>> rows = [Example("1-0", "s", "Where was Ann's man born?", first, negatives=(second,))]
        >>> rows += [Example("1-1", "s", "Where was Ann's man born?", second)]
        >>> [example.negatives for example in unpaired(rows)]
        [(), ()]
    """
    every = list(examples)
    gold: dict[tuple[str, str], set[Passage]] = defaultdict(set)
    for example in every:
        gold[example.source, example.question].add(example.passage)
    return [
        replace(
            example, negatives=tuple(p for p in example.negatives if p not in gold[example.source, example.question])
        )
        for example in every
    ]


def _mined(group: list[Example], kept: int) -> list[Example]:
    import bm25s

    passages = pool(group)
    index = bm25s.BM25(k1=0.9, b=0.4)
    index.index(bm25s.tokenize([f"{p.title} {p.text}" for p in passages], show_progress=False), show_progress=False)
    asked = bm25s.tokenize([example.question for example in group], show_progress=False)
    ranked, _ = index.retrieve(asked, k=min(_DEPTH, len(passages)), show_progress=False)
    return [
        replace(example, negatives=tuple(_wrong(example, [passages[int(i)] for i in row], kept)))
        for example, row in zip(group, np.asarray(ranked), strict=True)
    ]


def _wrong(example: Example, ranked: Sequence[Passage], kept: int) -> list[Passage]:
    """The hardest first; of one's own document only those that its reader found to be negatives."""
    said = {example.passage.text[start:end].lower() for start, end in example.answers}
    own = set(example.negatives)

    def wrong(passage: Passage) -> bool:
        if passage.text == example.passage.text or any(answer in passage.text.lower() for answer in said):
            return False
        return passage in own or passage.article != example.passage.article or bool(said)

    return [passage for passage in dict.fromkeys(ranked) if wrong(passage)][:kept]
