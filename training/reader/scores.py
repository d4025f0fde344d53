"""How good a model is: reading, declining, reranking, keeping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Encoding, Tokenizer

from ragctx.corpus.sentences import bounds
from ragctx.encoders.spans import Borders
from ragctx.encoders.spans import answers as best
from ragctx.evaluation.metrics import exact_match, token_f1
from training.reader.examples import Example, Passage
from training.reader.features import encode
from training.reader.model import Reader


@dataclass(frozen=True, slots=True)
class Seen:
    """What a model made of one pair.

    Attributes:
        sentences: character ranges of the passage. keep: of each, 0 to 1, the mean over its tokens.
        answers: best first. said: their texts. places: their character ranges.
    """

    passage: Passage
    relevance: float
    sentences: list[tuple[int, int]]
    keep: np.ndarray
    answers: list[Borders]
    said: list[str]
    places: list[tuple[int, int]]


Look = Callable[[Sequence[tuple[str, Passage]]], list[Seen]]


def looker(reader: Reader, tokenizer: Tokenizer, titled: bool = True, batch: int = 32) -> Look:
    """What looks at (question, passage) pairs with a torch model."""

    def look(pairs: Sequence[tuple[str, Passage]]) -> list[Seen]:
        encodings = [encode(tokenizer, question, passage, titled) for question, passage in pairs]
        order = sorted(range(len(pairs)), key=lambda place: len(encodings[place].ids))
        seen: dict[int, Seen] = {}
        reader.eval()
        for begin in range(0, len(order), batch):
            places = order[begin : begin + batch]
            width = max(len(encodings[place].ids) for place in places)
            rows = np.zeros((3, len(places), width), np.int64)
            for row, place in enumerate(places):
                encoding = encodings[place]
                rows[:, row, : len(encoding.ids)] = encoding.ids, encoding.type_ids, encoding.attention_mask
            with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
                heads = reader(*map(torch.from_numpy, rows))
            arrays = [head.float().numpy() for head in heads[:4]]
            for row, place in enumerate(places):
                seen[place] = _seen(pairs[place][1], encodings[place], *(array[row] for array in arrays))
        return [seen[place] for place in range(len(pairs))]

    return look


def _seen(
    passage: Passage, encoding: Encoding, relevance: np.ndarray, keep: np.ndarray, start: np.ndarray, end: np.ndarray
) -> Seen:
    inside = np.array([p for p, part in enumerate(encoding.sequence_ids) if part == 1], int)
    answers = best(start, end, inside)
    offsets = encoding.offsets
    places = [(offsets[a.first][0], offsets[a.last][1]) for a in answers]
    said = [passage.text[start:end] for start, end in places]
    sentences = list(bounds(passage.text))
    probabilities = 1 / (1 + np.exp(-keep))
    means = []
    for first, last in sentences:
        held = [p for p in inside if offsets[p][0] < last and offsets[p][1] > first]
        means.append(float(probabilities[held].mean()) if held else 0.0)
    return Seen(passage, float(relevance), sentences, np.array(means), answers, said, places)


def reading(examples: Sequence[Example], look: Look) -> dict[str, float]:
    """EM and F1 on the gold passage, and the AUC of the best answer's score against a hard negative."""
    asked = [e for e in examples if e.answers]
    gold = look([(e.question, e.passage) for e in asked])
    pairs = [(e.question, e.negatives[0]) for e in asked if e.negatives]
    wrong = look(pairs)
    scores = [s.answers[0].score if s.answers else -99.0 for s in gold]
    against = [s.answers[0].score if s.answers else -99.0 for s in wrong]
    exact, f1 = [], []
    for example, seen in zip(asked, gold, strict=True):
        truth = [example.passage.text[a:b] for a, b in example.answers]
        said = seen.said[0] if seen.said else ""
        exact.append(exact_match(said, truth))
        f1.append(token_f1(said, truth))
    return {"em": float(np.mean(exact)), "f1": float(np.mean(f1)), "null_auc": auc(scores, against), "n": len(asked)}


def auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The chance that a positive scores higher than a negative."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score([1] * len(positive) + [0] * len(negative), [*positive, *negative]))


def ranking(examples: Sequence[Example], look: Look, rivals: int = 12) -> dict[str, float]:
    """Mean reciprocal rank of the gold passage among its hard negatives."""
    ranks = []
    for example in examples:
        passages = [example.passage, *example.negatives[:rivals]]
        seen = look([(example.question, passage) for passage in passages])
        ranks.append(1 / (1 + sum(other.relevance > seen[0].relevance for other in seen[1:])))
    return {"mrr": float(np.mean(ranks)), "n": len(ranks)}


def keeping(examples: Sequence[Example], look: Look, shares: Sequence[float] = (0.1, 0.2)) -> dict[str, float]:
    """How often the answer (or the first evidence) is kept in a share of the words of gold and four hard passages."""
    kept: dict[float, list[bool]] = {share: [] for share in shares}
    used = [e for e in examples if len(e.negatives) >= 4 and (e.answers or e.evidence)]
    for example in used:
        passages = [example.passage, *example.negatives[:4]]
        seen = look([(example.question, passage) for passage in passages])
        for share in shares:
            kept[share].append(_kept(example, seen, share))
    return {f"kept_{round(share * 100)}": float(np.mean(kept[share])) for share in shares} | {"n": len(used)}


def _kept(example: Example, seen: Sequence[Seen], share: float) -> bool:
    units = [
        (keep * (1 / (1 + np.exp(-s.relevance))), number, span, len(s.passage.text[span[0] : span[1]].split()))
        for number, s in enumerate(seen)
        for span, keep in zip(s.sentences, s.keep, strict=True)
    ]
    room = share * sum(words for *_, words in units)
    chosen: list[tuple[int, int]] = []
    for index, (_, number, span, words) in enumerate(sorted(units, key=lambda unit: -unit[0])):
        if words <= room or not index:
            room -= words
            if number == 0:
                chosen.append(span)
    wanted = example.answers or example.evidence[:1]
    return any(first <= start and end <= last for start, end in wanted for first, last in chosen)
