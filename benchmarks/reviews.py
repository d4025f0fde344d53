"""Opinions in 75 short items: prompt tokens of clustered retrieval against plain retrieval, and what summaries cost.

The items are made here, from words of our own, by a fixed seed. What the published saving counts is the prompt of the
answering call alone; the summaries are paid once for the corpus, so their cost stands beside it, with the number of
questions after which they have paid for themselves.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from ragctx.corpus import Corpus
from ragctx.models import Models
from ragctx.strategies import Retrieve
from ragctx.types import Question
from ragctx.work import Completion, Generate, Reply, Request, Work, run

ITEMS = 75
QUESTIONS = (
    "What do people think of the kettle?",
    "What do buyers complain about most?",
    "How satisfied are people with the delivery?",
    "What is said about the noise it makes?",
    "Would most people buy it again?",
)

_WHO = (
    "I bought it for my mother",
    "We use it at the office",
    "It replaced one that broke",
    "A neighbour told me of it",
    "I had waited for months before I ordered",
    "It came as a present",
    "I live alone and make tea all day",
)
_SINCE = ("a week ago", "in spring", "before the holidays", "some months back", "last year")
_SUBJECTS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "heating": (
        ("water boils in under two minutes", "it heats faster than anything I had", "a full litre is hot at once"),
        ("it needs five minutes for two cups", "it switches off before the water boils", "it heats slower each month"),
    ),
    "noise": (
        ("I hardly hear it from the next room", "it only hums a little", "it clicks softly and that is all"),
        ("it roars so that nobody can talk beside it", "it rattles on its base", "the whistle wakes the children"),
    ),
    "delivery": (
        ("the parcel was there next morning", "the courier carried it up four floors", "it came well wrapped"),
        ("the parcel took three weeks", "the box was crushed when it came", "I had to fetch it from a depot far away"),
    ),
    "looks": (
        ("the enamel is lovely on the shelf", "everybody asks where the colour is from", "it feels solid in the hand"),
        ("the paint came off at the spout", "it looks nothing like the picture", "the lid is thin and bends"),
    ),
    "service": (
        ("they sent a new lid without a question", "somebody answered within the hour", "the refund came in two days"),
        ("nobody replies to letters", "they want the receipt for every word", "I was put through to five people"),
    ),
}
_CLOSING = (
    "I would buy it again",
    "I am not sure that I would buy another",
    "My friends have heard all about it",
    "That is all there is to say",
    "For the price one may expect that",
    "I have kept the box in case",
)


@dataclass(frozen=True, slots=True)
class Saving:
    """What was measured.

    Attributes:
        plain, clustered: mean prompt tokens of the answering call for a question.
        reduction: share of the plain prompt that is saved. once: tokens, prompt and output, that the summaries cost.
        pays_after: questions after which the summaries have paid for themselves; None where they never do.
        amortised: share saved over 100 questions with the summaries' cost counted in.
    """

    items: int
    questions: int
    plain: float
    clustered: float
    reduction: float
    once: int
    pays_after: float | None
    amortised: float

    def table(self) -> dict[str, object]:
        """As JSON takes it."""
        return asdict(self)


def reviews(items: int = ITEMS, seed: int = 7) -> dict[str, str]:
    """Short opinions about one kettle, by name; the same every time.

    Args:
        items: how many.
        seed: of the choice of words.

    Example:
        >>> made = reviews()
        >>> len(made), len(set(made.values())), reviews() == made
        (75, 75, True)
    """
    chance = random.Random(seed)
    made: dict[str, str] = {}
    while len(made) < items:
        text = _review(chance)
        if text not in made.values():
            made[f"review-{len(made) + 1:03d}"] = text
    return made


def _review(chance: random.Random) -> str:
    first, second = chance.sample(sorted(_SUBJECTS), 2)
    main, beside = (_opinions(subject, chance) for subject in (first, second))
    said = [
        f"{chance.choice(_WHO)}, {chance.choice(_SINCE)}.",
        f"What matters to me is the {first}: {main[0]}, and {main[1]}.",
        f"I looked at the {first} again for this note and it is so every day: {main[2]}.",
        f"As for the {second}, {beside[0]}.",
        f"{chance.choice(_CLOSING)}.",
    ]
    return " ".join(said)


def _opinions(subject: str, chance: random.Random) -> list[str]:
    good, bad = _SUBJECTS[subject]
    return chance.sample(good if chance.random() < 0.65 else bad, 3)


def saving(
    models: Models,
    answer: Callable[[Sequence[Request]], Sequence[Reply]],
    corpus: Corpus | None = None,
    questions: Sequence[str] = QUESTIONS,
    *,
    tokens: int | None = None,
) -> Saving:
    """Every question by plain and by clustered retrieval; tokens as billed.

    Plain retrieval is the paper's: what is found is read whole, as far as the room goes, without a model that sorts
    and prunes. Both have the same room. The share saved depends on that room: plain retrieval of a handful of reviews,
    which answers no question about all of them, reads as little.

    Args:
        models: facts about reader and encoder.
        answer: replies to each batch of requests.
        corpus: the items; those of `reviews` when not given.
        questions: what is asked.
        tokens: the room for passages; by default the whole reader's window but for 1,024 tokens, 6,000 at most, since
            plain retrieval reads every review that it finds.
    """
    corpus = corpus or Corpus.of(*({name: text} for name, text in reviews().items()))
    room = tokens or min(6_000, (models.reader.window or 8_192) - 1_024)
    plain = Retrieve(tokens=room, rerank=False, prune=None)
    clustered = Retrieve(tokens=room, retriever="clustered", rerank=False, prune=None)
    made = _Bill(answer)
    for one in (plain, clustered):
        run(one.prepare(corpus, models), made)
    once = sum(completion.prompt_tokens + completion.output_tokens for _, completion in made.calls)
    means = [_mean(one, corpus, models, answer, questions) for one in (plain, clustered)]
    saved = means[0] - means[1]
    return Saving(
        items=len(corpus),
        questions=len(questions),
        plain=means[0],
        clustered=means[1],
        reduction=saved / means[0],
        once=once,
        pays_after=once / saved if saved > 0 else None,
        amortised=(100 * saved - once) / (100 * means[0]),
    )


def _mean(
    strategy: Retrieve,
    corpus: Corpus,
    models: Models,
    answer: Callable[[Sequence[Request]], Sequence[Reply]],
    questions: Sequence[str],
) -> float:
    bill = _Bill(answer)
    for text in questions:
        work: Work[object] = strategy.read(Question(text), corpus, models)  # type: ignore[assignment]
        run(work, bill)
    return sum(completion.prompt_tokens for _, completion in bill.calls) / len(questions)


class _Bill:
    """An answerer that keeps what was billed for writing."""

    def __init__(self, answer: Callable[[Sequence[Request]], Sequence[Reply]]) -> None:
        self.answer = answer
        self.calls: list[tuple[Generate, Completion]] = []

    def __call__(self, requests: Sequence[Request]) -> Sequence[Reply]:
        replies = self.answer(requests)
        pairs = zip(requests, replies, strict=True)
        self.calls += [(a, b) for a, b in pairs if isinstance(a, Generate) and isinstance(b, Completion)]
        return replies
