"""The rounds of iterative retrieval: what to ask next, what was found, and what the last call reads of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

from ragctx.agents.examples import Example
from ragctx.grounding import declined, sentences
from ragctx.grounding.words import content
from ragctx.prompts import Templates, harmless
from ragctx.prompts.replies import lines, nothing
from ragctx.prompts.texts import Texts, texts
from ragctx.types import Passage

# A sub-question or a finding is one line; what is longer is cut.
_LONGEST = 300
_LABEL = re.compile(
    r"^(?:(?:the\s+)?(?:next|simple|simpler|sub|follow[- ]?up|new|intermediate)[\s-]*)*(?:question|next)?\s*\d*\s*:\s*",
    re.I,
)
_DONE = re.compile(r"^\W*(?:done|finished|finish|stop|enough|no\s+(?:more|further|other|additional)\b.*)\W*$", re.I)
# A word with a capital that begins no sentence.
_NAME = re.compile(r"(?<![.!?:]\s)\b[A-Z][\w-]+")
# So many letters of the prompt's own text are no question of anybody's.
_TOLD = 24
_ANSWERED = re.compile(r"\s*\b(?:answer|found)\s*:.*$", re.I)
_SLOTS = {
    "step": ("EXAMPLES", "QUESTION", "STEPS"),
    "example": ("QUESTION", "STEPS"),
    "known": ("QUESTION", "ANSWER"),
    "form": (),
    "missing": (),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One round: what was asked, what was found (empty: nothing), and the passages that were read for it."""

    question: str
    answer: str = ""
    passages: tuple[Passage, ...] = ()


def said() -> Texts:
    """The texts of the rounds."""
    return texts(Path(__file__).with_name("texts") / "iterative.toml", _SLOTS)


def next_question(reply: str, earlier: Iterable[str]) -> str:
    r"""The sub-question a reply asks; empty where it asks none, or only such as were asked before.

    Labels, bullets and quotes are passed over; of several lines the first counts, and where that was asked before, the
    next question that was not.

    Example:
        >>> next_question("Next: Who is the mayor?", []), next_question("DONE", [])
        ('Who is the mayor?', '')
        >>> next_question("1. Who is the mayor?\n2. When was he born?", ["Who's the mayor?", "who is the mayor"])
        'When was he born?'
    """
    asked = [*map(_tidy, lines(reply))]
    if not asked or nothing(asked[0]) or _DONE.match(asked[0]):
        return ""
    known = [*earlier]
    first, *rest = asked
    candidates = [first, *(line for line in rest if line.endswith(("?", "？")))]
    return next((line for line in candidates if line and not _repeats(line, known)), "")


def strayed(asked: str, shown: str, known: str) -> str:
    """Why a sub-question is none of this question's, in words; empty where it is.

    A small model goes on with the names of the traces it was shown, or says the prompt back.

    Args:
        asked: the sub-question.
        shown: the traces of other questions.
        known: all that bears on this one: its words, what was found for it.

    Example:
        >>> strayed("Who is the landlord of Arlow?", "Next: Who is the mayor of Arlow?", "Which lease is dearer?")
        'it asks about arlow, of which only the examples in the prompt speak'
        >>> strayed("Who is the mayor of Arlow?", "Next: Who is the mayor of Arlow?", "How old is Arlow's mayor?")
        ''
    """
    told = _plain(said().fill("step", examples="", question="", steps=""))
    if len(_plain(asked)) >= _TOLD and _plain(asked) in told:
        return "it is the prompt's own text"
    names = {found.group().casefold() for found in _NAME.finditer(asked) if found.start() > 0}
    alien = names & _every_word(shown) - _every_word(known)
    if alien:
        return f"it asks about {', '.join(sorted(alien))}, of which only the examples in the prompt speak"
    return ""


def finding(reply: str, templates: Templates) -> str:
    """The answer of a round in one line, without citation marks; empty where it is none.

    Example:
        >>> from ragctx.prompts import shipped
        >>> finding("Ines Dorn [2].", shipped()), finding("Not in the documents.", shipped())
        ('Ines Dorn.', '')
    """
    text = " ".join(sentences(reply)[0].split())[:_LONGEST].strip()
    return "" if declined(reply, templates) or not text.strip(" .,;:") else text


def trace(steps: Sequence[tuple[str, str]], words: Texts) -> str:
    """Steps as the planner is shown them."""
    missing = words.fill("missing")
    return "".join(f"{words.fill('known', question=q, answer=a or missing)}\n" for q, a in steps)


def traces(shown: Sequence[Example], words: Texts) -> str:
    """The traces of other questions; the form alone where there are none."""
    told = [words.fill("example", question=one.question, steps=trace(one.steps, words)) for one in shown if one.steps]
    return "".join(f"{text}\n\n" for text in told or [words.fill("form")])


def findings(steps: Sequence[Step]) -> tuple[Passage, ...]:
    """What the rounds found as one passage written from what they read; none where they found nothing.

    It stands among the documents, behind the fence: what a model wrote from a document is no more to be trusted.
    """
    found = [step for step in steps if step.answer]
    if not found:
        return ()
    text = "\n".join(harmless(f"{step.question} {step.answer}") for step in found)
    spans = {span for step in found for passage in step.passages for span in passage.spans}
    return (Passage(text, tuple(sorted(spans)), "findings", derived=True),)


def ranked(searches: Sequence[Sequence[Passage]]) -> tuple[Passage, ...]:
    """The passages of several searches, all best ones before the second ones, each once.

    Example:
        >>> a, b, c = (Passage(text, ()) for text in "abc")
        >>> [passage.text for passage in ranked([(a, b), (a, c)])]
        ['a', 'b', 'c']
    """
    every = chain.from_iterable(zip_longest(*searches))
    once = {(one.spans or one.text): one for one in reversed([one for one in every if one is not None])}
    return tuple(reversed(once.values()))


def findings_last(best_first: Sequence[Passage]) -> list[Passage]:
    """Reading order: the best documents towards the end, what was found at the very end, nearest to the question."""
    return sorted(reversed(best_first), key=lambda passage: passage.derived)


def _tidy(line: str) -> str:
    bare = _ANSWERED.sub("", _LABEL.sub("", line.replace("**", "")))
    return sentences(bare)[0].strip("\"'*_\u201c\u201d ")[:_LONGEST].strip()


def _repeats(question: str, earlier: Iterable[str]) -> bool:
    plain, words = _plain(question), content(question)
    return any(plain == _plain(one) or (bool(words) and words == content(one)) for one in earlier)


def _every_word(text: str) -> set[str]:
    return {word.casefold() for word in re.findall(r"\w[\w-]*", text)}


def _plain(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())
