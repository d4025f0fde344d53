"""Sentences with exact offsets, from text of any length that arrives in blocks.

`sentencex` is lossless: its pieces joined are the text, so offsets are sums of lengths. It looks at each paragraph on
its own, so text cut between paragraphs gives the same sentences as the whole; only a paragraph longer than a block is
cut elsewhere, before its last complete sentence.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator

BLOCK = 1 << 18
# An unbroken stretch longer than this is cut at a space: no sentence is that long.
STRETCH = 1 << 20

_SCRIPTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("zh", re.compile(r"[\u4e00-\u9fff\u3400-\u4dbf]")),
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
)
_STOPS = "。！？"
# A full-width stop before a character that surely begins a sentence (no digit, and no closing mark), or a mark of
# quotation or a bracket, between which sentencex sees no sentence end.
_STOP_OR_MARK = re.compile(
    rf"[{_STOPS}](?=[\u3040-\u30fa\u3400-\u4dbf\u4e00-\u9fff《「『（])|[‘’“”„‹›《》「」()（）<>{{}}\[\]«»\"'`‚‛‟]"
)
# Opening mark -> what it waits for. Any closing bracket ends any opening one. Marks that open and close alike wait for
# the paragraph's end (""): how sentencex pairs them depends on how many there are in all of it.
_CLOSES = {"‘": "’", "“": "”", "„": "“", "‹": "›", "《": "》", "「": "」"}
_CLOSES |= dict.fromkeys("(（<{[", ")") | dict.fromkeys("«»\"'`‚‛‟", "")
_BRACKETS = dict.fromkeys("）>}]", ")")
_REACH = 2_000
# What waits longer than this is no quotation.
_QUOTED = 10_000
_BLANK = re.compile(r"(\n{2,})")
_log = logging.getLogger(__name__)
_LETTER = re.compile(r"[^\W\d_]")


def language(text: str) -> str:
    """The language whose sentence rules fit a text's script; English where the script is Latin.

    Kana decides for Japanese even among many Han characters, as Japanese mixes both.

    Example:
        >>> language("It is due."), language("通知期间为三个月。"), language("期間は3ヶ月です。")
        ('en', 'zh', 'ja')
    """
    if text.isascii():
        return "en"
    letters = max(1, len(_LETTER.findall(text)))
    for code, script in _SCRIPTS:
        if len(script.findall(text)) / letters > (0.1 if code == "ja" else 0.3):
            return code
    return "en"


def split(text: str, code: str) -> list[str]:
    """Sentences and the white space between them; joined they are the text.

    Example:
        >>> split("Dr. Wu agreed. We left.", "en")
        ['Dr. Wu agreed. ', 'We left.']
    """
    from sentencex import segment

    pieces: list[str] = []
    for part in _within_reach(text):
        found = segment(code, part) if part.strip() else [part]
        if "".join(found) != part:
            _log.warning("sentencex lost text in language %r; one paragraph is taken for one sentence", code)
            found = [part]
        pieces += found
    return pieces


def bounds(text: str, offset: int = 0) -> Iterator[tuple[int, int]]:
    """(start, end) of the sentences of a short text, without the white space between them.

    Example:
        >>> list(bounds("Dr. Wu agreed. We left.", offset=100))
        [(100, 114), (115, 123)]
    """
    for at, piece in _numbered(split(text, language(text)), offset):
        start = at + len(piece) - len(piece.lstrip())
        if visible := piece.strip():
            yield start, start + len(visible)


def _within_reach(text: str) -> Iterator[str]:
    """The text in parts that end where a sentence ends for certain: paragraphs, and parts of very long ones.

    In texts of some kilobytes sentencex (seen in 1.0.32) loses blank lines between paragraphs, so it is given one
    paragraph at a time. And at each full stop it looks back to the last space, which in Chinese and Japanese is the
    whole text before: a megabyte would take minutes.
    """
    for part in _BLANK.split(text):
        if part.isascii():
            yield part
        else:
            yield from _sure(part)


def _sure(paragraph: str) -> Iterator[str]:
    """Parts that end where no quotation and no bracket is open, or where one has been open for too long.

    Their sentences are those of the whole paragraph, except around a numbered list that stands within its lines.
    """
    start, awaited = 0, set[str]()
    for found in _STOP_OR_MARK.finditer(paragraph):
        mark, reached = found.group(), found.end() - start
        if mark not in _STOPS:
            awaited.discard(_BRACKETS.get(mark, mark))
            if mark in _CLOSES:
                awaited.add(_CLOSES[mark])
        elif reached >= _QUOTED or (reached >= _REACH and not awaited):
            yield paragraph[start : found.end()]
            start = found.end()
            awaited.clear()
    yield paragraph[start:]


def stream(blocks: Iterable[str], block: int = BLOCK) -> Iterator[tuple[int, str]]:
    """(offset, sentence) of a text that arrives in pieces cut anywhere; sentences joined are the text.

    Args:
        blocks: the text in order.
        block: characters to gather before cutting.
    """
    offset, waiting, gathered, code = 0, 0, [], ""
    for piece in blocks:
        gathered.append(piece)
        waiting += len(piece)
        if waiting < block:
            continue
        text = "".join(gathered)
        code = code or language(text[:20_000])
        cut = _cut(text, code)
        yield from _numbered(split(text[:cut], code), offset)
        gathered, waiting, offset = [text[cut:]], len(text) - cut, offset + cut
    text = "".join(gathered)
    yield from _numbered(split(text, code or language(text[:20_000])), offset)


def _cut(text: str, code: str) -> int:
    """Where a long text may be cut so that both sides give the sentences that the whole would give."""
    paragraph = text.rfind("\n\n")
    if paragraph > 0:
        return paragraph + 2
    pieces = split(text, code)
    if len(pieces) > 2:
        return len(text) - len(pieces[-1]) - len(pieces[-2])
    if len(text) < STRETCH:
        return 0
    return (text.rfind(" ") + 1) or len(text)


def _numbered(pieces: Iterable[str], offset: int) -> Iterator[tuple[int, str]]:
    for piece in pieces:
        yield offset, piece
        offset += len(piece)
