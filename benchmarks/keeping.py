"""How often the answer is still there when five passages are cut to a share of their words.

The gold passage and its four hardest rivals, in BM25's order, go through the Provence compressor with a counter that
counts words. The answer counts as kept if one of the gold answers (or, where a set marks sentences, one of them) stands
wholly in what is left. The same compressor fills the same budget by every baseline's weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from testset import Words, candidates, wanted
from weighers import Weigh, serving

from ragctx.compressors.provence import Provence
from ragctx.models import ModelFacts, Models
from ragctx.types import Context, Passage, Question, Span
from ragctx.work import Message, run
from training.reader.examples import Example

FLOOR = 1.0
"""No floor for baselines: their scores are no probabilities, so that none may reach it."""


class Counter:
    """A token is a word: the budget is a share of the words."""

    name, exact = "words", True

    def count(self, text: str) -> int:
        """Words of a text."""
        return len(text.split())

    def render(self, messages: Sequence[Message]) -> int:
        """Words of messages."""
        return sum(self.count(message.content) for message in messages)


MODELS = Models(
    {
        "reader": ModelFacts("words", Counter()),
        "ranker": ModelFacts("weigher", kinds=frozenset({"Rerank", "Prune"})),
    }
)


def context(example: Example, words: Words, hard: int = 4) -> tuple[Context, int]:
    """The passages as a retriever hands them over, and the place of the gold one."""
    found = candidates(example, hard, words)
    passages = tuple(
        Passage(p.text, (Span(f"{number}", 0, len(p.text)),), source=p.title) for number, p in enumerate(found)
    )
    return Context(passages), found.index(example.passage)


def pruned(example: Example, given: Context, share: float, weigh: Weigh, *, floor: float | None = None) -> Context:
    """What the compressor leaves of the passages in a share of their words."""
    budget = int(share * sum(len(passage.text.split()) for passage in given.passages))
    compressor = Provence() if floor is None else Provence(floor=floor, fuse=False)
    return run(compressor.compress(Question(example.question), given, budget, MODELS), serving(weigh))


def holds(example: Example, spans: Iterable[Span], gold: int) -> bool:
    """Whether a wanted range of the gold passage is wholly kept, white space aside."""
    text = example.passage.text
    kept = np.array([character.isspace() for character in text], bool)
    for span in spans:
        if span.document == str(gold):
            kept[span.start : span.end] = True
    return any(kept[start:end].all() for start, end in wanted(example))


def usable(examples: Sequence[Example]) -> list[Example]:
    """Those with four rivals and something that must be kept."""
    return [example for example in examples if len(example.negatives) >= 4 and wanted(example)]


def kept(
    examples: Sequence[Example], words: Words, share: float, weigh: Weigh, *, floor: float | None = None
) -> tuple[float, float]:
    """Share of questions whose answer is kept, and share of the words that were really kept."""
    hits, left = [], []
    for example in examples:
        given, gold = context(example, words)
        after = pruned(example, given, share, weigh, floor=floor)
        hits.append(holds(example, after.spans, gold))
        sizes = [sum(len(p.text.split()) for p in c.passages) for c in (after, given)]
        left.append(sizes[0] / max(1, sizes[1]))
    return round(float(np.mean(hits)), 4), round(float(np.mean(left)), 4)
