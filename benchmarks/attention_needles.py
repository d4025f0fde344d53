"""Long texts with things to find in them: eight similar codes, several values, two steps, and the question first.

A haystack holds the needles of all kinds, so that one reading of it serves many questions. Everything is drawn from a
seed; words and sentences are this benchmark's own.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

NAMES = ("Hannah", "Tomas", "Ines", "Pavel", "Greta", "Oskar", "Mirela", "Jonas", "Salma", "Viktor", "Elin", "Dario")
OTHERS = ("Bruno", "Clara", "Felix", "Nadia", "Hugo", "Lena", "Rafael", "Sofia", "Emil", "Tilda")
PETS = ("parrot", "rabbit", "hedgehog", "turtle", "goat", "donkey", "ferret", "lizard")
TOWNS = ("Kelding", "Harrowby", "Osterlin", "Brannow", "Tillmark", "Quellin", "Sarnford", "Wexholm")
COLOURS = ("violet", "orange", "crimson", "turquoise", "silver", "brown", "yellow", "black", "pink", "emerald")
FINDS = ("trumpet", "compass", "teapot", "hammer", "violin", "candle", "telescope", "umbrella")
WHO = ("The gardener", "Our neighbour", "A student", "The baker", "An old sailor", "The librarian", "Some tourist")
DID = ("talked about", "forgot", "remembered", "asked for", "complained about", "described", "looked forward to")
WHAT = ("the rain in the north", "a long train ride", "the new bridge", "bread and cheese", "the price of paint")
WHEN = ("on Monday", "after lunch", "during the meeting", "before the holidays", "in the evening", "all morning")
KINDS = ("eight-key", "multi-value", "tracing", "question-first")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about a haystack.

    Attributes:
        kind: one of `KINDS`, or "single". question: its words.
        answers: what the answer shall name, all of it. others: what it would name if it were wrong.
    """

    kind: str
    question: str
    answers: tuple[str, ...]
    others: tuple[str, ...] = ()

    def score(self, answer: str) -> float:
        """The share of the answers that are named; 0 where the only answer stands beside a wrong one.

        Example:
            >>> Asked("eight-key", "?", ("123",), ("456",)).score("It is 123."), Asked("x", "?", ("a", "b")).score("B")
            (1.0, 0.5)
        """
        words = set(re.findall(r"\w+", answer.lower()))
        if len(self.answers) == 1 and any(other.lower() in words for other in self.others):
            return 0.0
        return sum(each.lower() in words for each in self.answers) / len(self.answers)


@dataclass(frozen=True, slots=True)
class Haystack:
    """A text and what may be asked about it."""

    text: str
    asked: tuple[Asked, ...]

    def prompts(self, kinds: Sequence[str], each: int) -> list[tuple[Asked, str]]:
        """So many questions of each kind, with what is said to the model."""
        return [(one, said(self.text, one)) for kind in kinds for one in self.of(kind)[:each]]

    def of(self, kind: str) -> list[Asked]:
        """The questions of a kind."""
        return [one for one in self.asked if one.kind == kind]


def said(text: str, asked: Asked) -> str:
    """A text and its question; the text first, so that it is read once for all questions, unless that is the point."""
    if asked.kind == "question-first":
        return (
            f"{asked.question}\n\nLook for the answer in these notes:\n\n{text}\n\nNow answer the question from above."
        )
    return f"These are notes:\n\n{text}\n\n{asked.question}"


def haystack(count: Callable[[str], int], tokens: int, seed: int) -> Haystack:
    """A haystack with the needles of the battery.

    Args:
        count: tokens of a text.
        tokens: of the haystack, at most and nearly.
        seed: of all that is drawn.

    Example:
        >>> made = haystack(lambda text: len(text.split()), 900, seed=1)
        >>> made == haystack(lambda text: len(text.split()), 900, seed=1), len(made.of("eight-key")), len(made.asked)
        (True, 8, 22)
    """
    draw = random.Random(f"battery {seed}")
    needles, asked = [], []
    for maker in (_codes, _colours, _neighbours):
        sentences, questions = maker(draw)
        needles += sentences
        asked += questions
    return Haystack(_hidden(needles, count, tokens, draw), tuple(asked))


def singles(count: Callable[[str], int], tokens: int, seed: int) -> Haystack:
    """A haystack with five needles that are nothing like each other, at depths of all fifths."""
    draw = random.Random(f"singles {seed}")
    code, year, price = draw.randrange(10_000, 99_999), draw.randrange(1700, 1900), draw.randrange(200, 990)
    town, tool = draw.choice(TOWNS), draw.choice(FINDS)
    facts = [
        (f"The access code of the tower is {code}.", "What is the access code of the tower?", str(code)),
        (f"The old mill was built in the year {year}.", "In which year was the old mill built?", str(year)),
        (
            f"A ticket for the ferry costs {price} crowns.",
            "How many crowns does a ticket for the ferry cost?",
            str(price),
        ),
        (f"The king was born in the town of {town}.", "In which town was the king born?", town),
        (f"The thief hid a {tool} under the stairs.", "What did the thief hide under the stairs?", tool),
    ]
    draw.shuffle(facts)
    asked = tuple(Asked("single", f"{question} Answer briefly.", (answer,)) for _, question, answer in facts)
    return Haystack(_hidden([sentence for sentence, _, _ in facts], count, tokens, draw, shuffled=False), asked)


Made = tuple[list[str], list[Asked]]


def _codes(draw: random.Random) -> Made:
    """Eight people and their codes, all of one form."""
    people = draw.sample(NAMES, 8)
    codes = dict(zip(people, map(str, draw.sample(range(10_000, 99_999), 8)), strict=True))
    asked = []
    for kind in ("eight-key", "question-first"):
        for name in draw.sample(people, 8):
            question = f"What is the access code of {name}? Answer with the number only."
            asked.append(Asked(kind, question, (codes[name],), _but(codes, name)))
    return [f"The access code of {name} is {code}." for name, code in codes.items()], asked


def _neighbours(draw: random.Random) -> Made:
    """Four people whose neighbours have pets: two steps, by names that have no codes."""
    people = draw.sample(OTHERS, 8)
    pets = dict(zip(people[4:], draw.sample(PETS, 4), strict=True))
    said, asked = [], []
    for name, neighbour in zip(people[:4], people[4:], strict=True):
        said += [f"The neighbour of {name} is {neighbour}.", f"The pet of {neighbour} is a {pets[neighbour]}."]
        form = f"The neighbour of {name} is ... The pet of ... is a ..."
        question = f"Who is the neighbour of {name}, and what is the pet of that neighbour? Answer in this form: {form}"
        asked.append(Asked("tracing", question, (pets[neighbour],), _but(pets, neighbour)))
    return said, asked


def _but(values: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(value for other, value in values.items() if other != name)


def _colours(draw: random.Random) -> Made:
    """Two towns, each with three flags."""
    said, asked = [], []
    for town in draw.sample(TOWNS, 2):
        colours = draw.sample(COLOURS, 3)
        said += [f"One of the flags over {town} is {colour}." for colour in colours]
        question = f"There are three flags over {town}. Which colours do they have? Answer with the three colours."
        asked.append(Asked("multi-value", question, tuple(colours)))
    return said, asked


def _hidden(
    needles: Sequence[str], count: Callable[[str], int], tokens: int, draw: random.Random, shuffled: bool = True
) -> str:
    """Hay of as many sentences as fit, the needles among them: anywhere, or evenly in their order."""
    sample = [_hay(draw) for _ in range(200)]
    each = count(" ".join(sample)) / len(sample)
    room = tokens - count(" ".join(needles))
    lines = sample + [_hay(draw) for _ in range(int(room / each))]
    lines = lines[: max(0, int(room / each))]
    places = range(len(lines) + 1)
    where = (
        sorted(draw.choice(places) for _ in needles)
        if shuffled
        else [int((n + 0.5) * len(lines) / len(needles)) for n in range(len(needles))]
    )
    order = draw.sample(list(needles), len(needles)) if shuffled else needles
    for place, needle in reversed(list(zip(where, order, strict=True))):
        lines.insert(place, needle)
    while count(" ".join(lines)) > tokens and (spare := next((s for s in reversed(lines) if s not in needles), "")):
        lines.remove(spare)
    return "\n".join(" ".join(lines[at : at + 8]) for at in range(0, len(lines), 8))


def _hay(draw: random.Random) -> str:
    return f"{draw.choice(WHO)} {draw.choice(DID)} {draw.choice(WHAT)} {draw.choice(WHEN)}."
