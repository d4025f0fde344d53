"""How published benchmarks make two texts comparable; each rule by its source, character for character.

`ragctx.evaluation.metrics.normalise` is ours: it drops the punctuation of every script. The rules here drop exactly
what their sources drop, so that figures can be set beside published ones.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable
from typing import Final

Segment = Callable[[str], Iterable[str]]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_ASCII: Final = frozenset(string.punctuation)
_TO_FULL_WIDTH: Final = 0xFEE0  # what lies between an ASCII mark and its full-width form


def _chinese_marks() -> frozenset[str]:
    """Full-width ASCII marks but the full stop, the CJK marks and the Western quotes and dashes of LongBench's list.

    The list leaves out some that belong there (the opening double angle, the middle dot); so does this.
    """
    wide = (chr(ord(mark) + _TO_FULL_WIDTH) for mark in string.punctuation if mark != ".")
    ranges = [(0xFF5F, 0xFF64), (0x3001, 0x3003), (0x300B, 0x3011), (0x3014, 0x301F), (0x3030, 0x3030)]
    ranges += [(0x303E, 0x303F), (0x2013, 0x2014), (0x2018, 0x2019), (0x201B, 0x201F), (0x2026, 0x2027)]
    ranges += [(0xFE4F, 0xFE4F)]
    return frozenset([*wide, *(chr(code) for first, last in ranges for code in range(first, last + 1))])


_CHINESE: Final = _chinese_marks()


def squad(text: str) -> str:
    """Lower case, no ASCII punctuation, no English articles, single blanks, in this order.

    Source: SQuAD's evaluation script (Rajpurkar et al. 2016, arXiv 1606.05250); LongBench, HELMET, LV-Eval and L-Eval
    use the same rule.

    Example:
        >>> squad("The  Harbour-master's fee, paid!"), squad("“A” fee")
        ('harbourmasters fee paid', '“ ” fee')
    """
    bare = "".join(character for character in text.lower() if character not in _ASCII)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def chinese(text: str) -> str:
    """Lower case, no ASCII and Chinese punctuation, no blanks at all.

    Source: LongBench (Bai et al. 2023, arXiv 2308.14508), which LV-Eval follows.

    Example:
        >>> chinese("通知期 是：三个月。")
        '通知期是三个月'
    """
    kept = (character for character in text.lower() if character not in _ASCII and character not in _CHINESE)
    return "".join("".join(kept).split())


def chinese_words(text: str, segment: Segment = list) -> list[str]:
    """Normalised words of Chinese text, empty ones left out.

    Args:
        text: what is split.
        segment: splits into words. The sources use jieba's; give `jieba.cut` for figures to set beside theirs.
            Characters, the default, need no dictionary and give other figures.

    Example:
        >>> chinese_words("三个月。")
        ['三', '个', '月']
    """
    return [word for word in map(chinese, segment(text)) if word]
