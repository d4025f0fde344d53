"""Two tasks for which all of a text has to be read: segments to put in order, and the best of many answers.

After Ada-LEval (Wang et al. 2024, arXiv 2404.06480); the texts are made of this project's own sentences.
"""

from __future__ import annotations

from ragctx.evaluation.datasets.example import Example
from ragctx.evaluation.needles.hay import PLACES, THINGS, Hay
from ragctx.types import Document, Question, Span


def sort_segments(hay: Hay, segments: int = 4) -> Example:
    """Neighbouring segments of a tale, shuffled; their order is asked for, and only the whole of it is right.

    Every segment counts the days on from the one before, so that there is one right order.

    Raises:
        ValueError: fewer than two segments.

    Example:
        >>> sort_segments(Hay(120), 3).metric
        'squad-em'
    """
    if segments < 2:
        raise ValueError(f"{segments} segments have no order: give at least 2")
    rng = hay.random("sort")
    sentences = hay.sentences()
    size = -(-len(sentences) // segments)
    first = rng.randrange(2, 50)
    shown = rng.sample(range(segments), segments)
    pieces = [" ".join(sentences[at * size : (at + 1) * size]) for at in range(segments)]
    told = [f"[Segment {n}] Day {first + at} on the road. {pieces[at]}".rstrip() for n, at in enumerate(shown, 1)]
    right = " ".join(str(shown.index(at) + 1) for at in range(segments))
    name = f"sort-segments-{hay.words}-{hay.seed}"
    text = "\n\n".join(told)
    asked = "In which order were the segments written? Answer with their numbers alone, a blank between them."
    question = Question(asked, id=name, answers=(right,), kind="sort-segments")
    return Example(question, (Document(name, text),), (Span(name, 0, len(text)),), name, "squad-em")


def best_answer(hay: Hay, candidates: int = 8) -> Example:
    """Many answers to many questions; which of them answers the one that is asked?

    Raises:
        ValueError: fewer than two candidates, or more than there are subjects for.

    Example:
        >>> found = best_answer(Hay(120), 4)
        >>> found.question.answers[0] in {"A1", "A2", "A3", "A4"}
        True
    """
    subjects = [(place, thing) for place in PLACES for thing in THINGS]
    if not 2 <= candidates <= len(subjects):
        raise ValueError(f"{candidates} candidates cannot be told apart: give 2 to {len(subjects)}")
    rng = hay.random("best")
    chosen = rng.sample(subjects, candidates)
    wanted = rng.randrange(candidates)
    sentences = hay.sentences()
    size = -(-len(sentences) // candidates)
    told = []
    for number, (place, thing) in enumerate(chosen):
        body = " ".join(sentences[number * size : (number + 1) * size])
        said = f"To reach the {thing} of {place}, take the north road and ask at gate {rng.randrange(10, 100)}."
        told.append(f"[A{number + 1}] {said} {body}".rstrip())
    name = f"best-answer-{hay.words}-{hay.seed}"
    text, start = "\n\n".join(told), sum(len(one) + 2 for one in told[:wanted])
    place, thing = chosen[wanted]
    asked = f"Which of the answers says how to reach the {thing} of {place}? Answer with its label alone, such as A1."
    question = Question(asked, id=name, answers=(f"A{wanted + 1}",), kind="best-answer")
    gold = Span(name, start, start + len(told[wanted]))
    return Example(question, (Document(name, text),), (gold,), name, "squad-em")
