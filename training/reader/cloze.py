"""Questions made from plain text by rule: a place to begin from where labelled questions are few.

A number, a date or a name of a sentence is taken for the answer; the words of its clause, some lost and some displaced,
with a fitting question word in place of the answer, are the question. Reading them teaches a small model to look for a
stretch by what stands around it, before it sees what people really ask (the idea of cloze-style pre-training for
question answering: Dhingra et al., 2018, arXiv:1804.00720; Lewis et al., 2019, arXiv:1906.04980).
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from ragctx.corpus.sentences import bounds
from training.reader.examples import Example, Passage

_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_DAY = rf"(?:\d{{1,2}} )?(?:{_MONTHS})(?: \d{{1,2}},?)?(?: \d{{4}})?"
_WORDS = "two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|thirty|hundred"
_MONEY = r"[$€£]\s?\d[\d,.]*\d?(?: (?:million|billion|trillion|thousand))?"
_KINDS = (
    ("when", re.compile(rf"\b{_DAY}\b|\b1[0-9]\d\d\b|\b20[0-3]\d\b")),
    ("how much", re.compile(rf"{_MONEY}|\b\d[\d,.]*\s?(?:%|percent\b|per cent\b)")),
    ("how many", re.compile(rf"\b\d[\d,.]*\d?(?: (?:million|billion|thousand))?\b|\b(?:{_WORDS})\b")),
    ("name", re.compile(r"\b[A-Z][\w'’-]+(?: (?:of |the |de |von |and )?[A-Z][\w'’-]+){0,4}\b")),
)
_PLACES = re.compile(r"\b(?:in|at|near|from|to) (?:the )?$", re.IGNORECASE)
_WHO = ("who", "what", "which")
_SHORTEST, _LONGEST = 5, 24
"""Words of a clause worth asking from."""


def questions(passages: Iterable[Passage], each: int, seed: int) -> Iterator[Example]:
    """Up to `each` made-up questions about every passage; other passages of its article are the negatives."""
    by_article: dict[str, list[Passage]] = {}
    for passage in passages:
        by_article.setdefault(passage.article, []).append(passage)
    for rivals in by_article.values():
        for index, passage in enumerate(rivals):
            chance = random.Random(f"{seed} {passage.article} {index}")
            others = chance.sample(rivals, min(len(rivals), 4))
            for number, example in enumerate(_asked(passage, each, chance)):
                said = {passage.text[start:end].lower() for start, end in example.answers}
                wrong = tuple(p for p in others if p is not passage and not any(a in p.text.lower() for a in said))
                yield replace(example, id=f"cloze-{passage.article}-{index}-{number}", negatives=wrong)


def _asked(passage: Passage, each: int, chance: random.Random) -> Iterator[Example]:
    sentences = list(bounds(passage.text))
    chance.shuffle(sentences)
    for start, end in sentences[:each]:
        places = list(_answers(passage.text[start:end]))
        if not places or "|" in passage.text[start:end]:
            continue
        kind, first, last = chance.choice(places)
        question = _question(passage.text[start:end], kind, first, last, chance)
        if question:
            spans = ((start + first, start + last),)
            yield Example("", "cloze", question, passage, spans, ((start, end),))


def _answers(sentence: str) -> Iterator[tuple[str, int, int]]:
    taken: list[tuple[int, int]] = []
    for kind, pattern in _KINDS:
        for match in pattern.finditer(sentence):
            start, end = match.span()
            if kind == "name" and (start == 0 and " " not in match[0]):
                continue  # the first word of any sentence has a capital
            if not any(start < last and first < end for first, last in taken):
                taken.append((start, end))
                yield kind, start, end


def _question(sentence: str, kind: str, first: int, last: int, chance: random.Random) -> str:
    """The clause around the answer as a question, or "" where it is too short or too long to be one."""
    before, after = sentence[:first], sentence[last:]
    left = max((match.end() for match in re.finditer(r"[;:,()—]\s", before)), default=0)
    right = min((match.start() for match in re.finditer(r"[;:,()—](?:\s|$)", after)), default=len(after))
    if len((before[left:] + after[:right]).split()) < _SHORTEST:
        left, right = 0, len(after)
    before, after = before[left:].strip(), after[:right].strip(" .!?;:,\"'")
    if not _SHORTEST <= len(f"{before} {after}".split()) <= _LONGEST:
        return ""
    wh, before = _asking(kind, before, chance)
    words = _noised(f"{before} {after}".split(), chance)
    asked = " ".join([wh, *words])
    asked = asked.lower() if chance.random() < 0.4 else asked[0].upper() + asked[1:]
    return f"{asked}?" if chance.random() < 0.8 else asked


def _asking(kind: str, before: str, chance: random.Random) -> tuple[str, str]:
    """The question word, and what stood before the answer without the preposition that the word replaces."""
    if kind == "name":
        wh = "where" if _PLACES.search(f"{before} ") and chance.random() < 0.6 else chance.choice(_WHO)
    else:
        wh = chance.choice(("when", "what year", "in what year")) if kind == "when" else kind
    return wh, re.sub(r"\b(?:in|on|at|by|since|during|from) (?:the )?$", "", f"{before} ").strip()


def _noised(words: list[str], chance: random.Random) -> list[str]:
    """Words with about one in eight lost, and neighbours displaced by up to two places."""
    kept = [word for word in words if chance.random() > 0.12]
    order = sorted(range(len(kept)), key=lambda place: place + chance.random() * 2.2)
    return [kept[place] for place in order]
