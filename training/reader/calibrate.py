"""Turns logits into probabilities that mean what they say, measured on articles that were not trained on.

Each is a logistic regression of few parameters (Platt, 1999), fitted on questions of the dev part with their gold
passage and a dozen hard negatives: about what a retriever hands over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ragctx.encoders.extractive.calibration import NOWHERE
from ragctx.evaluation.metrics import token_f1
from training.reader.examples import Example
from training.reader.scores import Look, Seen

RIGHT = 0.5
"""Token F1 from which an answer counts as right: half of its words, or better."""
_EDGE = 1e-4


def calibrated(examples: Sequence[Example], look: Look, rivals: int = 12) -> dict[str, object]:
    """The `calibration` of a model's card.

    Args:
        examples: of the dev part, with negatives.
        look: the model.
        rivals: hard negatives beside each gold passage.
    """
    seen = [
        (example, look([(example.question, p) for p in (example.passage, *example.negatives[:rivals])]))
        for example in examples
    ]
    answered = answer([pair for pair in seen if pair[0].answers])
    return {
        "relevance": relevance(seen),
        "keep": keep([pair for pair in seen if pair[0].evidence], answered),
        "answer": answered,
    }


def relevance(seen: Sequence[tuple[Example, Sequence[Seen]]]) -> list[float]:
    """Slope and offset for the relevance logit."""
    logits = [[each.relevance] for _, group in seen for each in group]
    gold = [not number for _, group in seen for number, _ in enumerate(group)]
    (slope,), offset = _fitted(logits, gold)
    return [slope, offset]


def keep(seen: Sequence[tuple[Example, Sequence[Seen]]], answered: Mapping[str, float]) -> dict[str, float]:
    """Weights of a sentence's mean keep probability and of the likeliest stretch within it, both as log-odds.

    Two heads see the same sentence by different lights: on dev questions both together keep more answers in a tenth and
    a fifth of the words than either.
    """
    rows, gold = [], []
    for example, group in seen:
        for number, each in enumerate(group):
            for (start, end), mean in zip(each.sentences, each.keep, strict=True):
                rows.append([logit(mean), likeliest(each, start, end, answered)])
                gold.append(not number and any(start < last and first < end for first, last in example.evidence))
    (mean, stretch), offset = _fitted(rows, gold)
    return {"mean": mean, "stretch": stretch, "intercept": offset}


def likeliest(each: Seen, start: int, end: int, answered: Mapping[str, float]) -> float:
    """Log-odds of the likeliest answer within some characters of a passage; see `Calibration.kept`."""
    held = [
        answered["score"] * place.score + answered["relevance"] * each.relevance + answered["intercept"]
        for place, (first, last) in zip(each.answers, each.places, strict=True)
        if start <= first and last <= end
    ]
    return max([NOWHERE, *held])


def answer(seen: Sequence[tuple[Example, Sequence[Seen]]]) -> dict[str, float]:
    """Weights of a stretch's score and of its passage's relevance for the probability that the stretch is right.

    Of every passage the best stretch alone: the others of a relevant passage are wrong because that one is right, and
    would teach that relevance speaks against an answer.
    """
    rows, right = [], []
    for example, group in seen:
        truth = [example.passage.text[start:end] for start, end in example.answers]
        for each in group:
            for place, text in zip(each.answers[:1], each.said[:1], strict=True):
                rows.append([place.score, each.relevance])
                right.append(token_f1(text, truth) >= RIGHT)
    (score, weight), offset = _fitted(rows, right)
    return {"score": score, "relevance": weight, "intercept": offset}


def logit(probability: float) -> float:
    """The log-odds, held within what float32 tells apart."""
    held = min(max(probability, _EDGE), 1 - _EDGE)
    return float(np.log(held / (1 - held)))


def _fitted(rows: Sequence[Sequence[float]], gold: Sequence[bool]) -> tuple[list[float], float]:
    """Weights and offset; one made-up row of each kind amid the others keeps them finite where all are of one kind."""
    from sklearn.linear_model import LogisticRegression

    middle = np.mean(rows, axis=0)
    model = LogisticRegression(C=100.0).fit(np.array([*rows, middle, middle]), np.array([*gold, True, False]))
    return [round(float(weight), 4) for weight in model.coef_[0]], round(float(model.intercept_[0]), 4)
