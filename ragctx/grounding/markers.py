"""The numbers a model cites, taken out of its text, and the text divided into sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ragctx.corpus.sentences import language, split

# [1], [1, 2], [1-3], 【1】, [passage 2], (text 2): up to three digits, so that years and law reports stay text.
_NAMES = r"(?:texts?|passages?|documents?|sources?|chunks?|excerpts?|nos?\.|numbers?)"
_LIST = rf"(?:{_NAMES}\s*)?\d{{1,3}}(?:\s*(?:,|;|&|and|to|-|\u2013)\s*(?:{_NAMES}\s*)?\d{{1,3}})*"
_MARKER = re.compile(rf"\s*(?:\[\s*#?{_LIST}\s*\]|\u3010\s*{_LIST}\s*\u3011|\(\s*{_NAMES}\s*{_LIST}\s*\))", re.I)
_RANGE = re.compile(r"(\d{1,3})\s*(?:-|\u2013|to)\s*(\d{1,3})")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of an answer and the passage numbers it cites, as the model wrote them (from 1)."""

    text: str
    cited: tuple[int, ...] = ()


def sentences(answer: str) -> tuple[str, tuple[Sentence, ...]]:
    """The answer without its markers, and its sentences with the numbers each cites.

    A marker belongs to the sentence it stands in or behind.

    Example:
        >>> text, found = sentences("Three months [1]. No pets are allowed. [2, 3]")
        >>> text
        'Three months. No pets are allowed.'
        >>> [(sentence.text, sentence.cited) for sentence in found]
        [('Three months.', (1,)), ('No pets are allowed.', (2, 3))]
    """
    pieces: list[str] = []
    marks: list[tuple[int, tuple[int, ...]]] = []
    length = last = 0
    for marker in _MARKER.finditer(answer):
        pieces.append(answer[last : marker.start()])
        length += len(pieces[-1])
        marks.append((length, _cited(marker.group())))
        last = marker.end()
    bare = "".join([*pieces, answer[last:]])
    lead = len(bare) - len(bare.lstrip())
    text = bare.strip()
    return text, _placed(text, [(max(0, at - lead), cited) for at, cited in marks])


def _cited(marker: str) -> tuple[int, ...]:
    spread = _RANGE.sub(lambda r: " ".join(map(str, range(int(r[1]), min(int(r[2]), int(r[1]) + 20) + 1))), marker)
    return tuple(dict.fromkeys(int(number) for number in re.findall(r"\d+", spread)))


def _placed(text: str, marks: list[tuple[int, tuple[int, ...]]]) -> tuple[Sentence, ...]:
    """Each mark goes to the last sentence that begins before it."""
    found: list[tuple[int, str]] = []
    offset = 0
    for piece in split(text, language(text)) if text else []:
        if piece.strip():
            found.append((offset, piece.strip()))
        offset += len(piece)
    cited: dict[int, tuple[int, ...]] = {}
    for at, ids in marks:
        place = max((i for i, (start, _) in enumerate(found) if start < at), default=0)
        cited[place] = tuple(dict.fromkeys((*cited.get(place, ()), *ids)))
    return tuple(Sentence(sentence, cited.get(i, ())) for i, (_, sentence) in enumerate(found))
