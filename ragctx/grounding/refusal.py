"""Recognises the reply that means: the documents do not say.

The prompt allows one short fixed reply for it, which is certain. Small models paraphrase it, so a few shapes are
recognised as well; documents have sentences of those shapes too ("the terms are not stated in this text"), so they are
only a presumption, which `rests` withdraws. A refusal must be the first thing said: an answer that goes on to mention
what is missing is an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ragctx.grounding.words import content

_TEXTS = r"(?:documents?|passages?|texts?|contexts?|sources?|excerpts?|information|materials?|data)"
_SAID = (
    r"(?:stated?|mention(?:ed)?|specif(?:y|ied)|gi(?:ve|ven)|found|available|provided?|includ(?:ed?)|contain(?:ed)?|"
    r"address(?:ed)?|disclosed?|discuss(?:ed)?|sa(?:y|id)|describ(?:ed?)|indicated?|cover(?:ed)?|present|answer(?:ed)?|"
    r"state|tell|known)"
)
_NOT = r"(?:not|n['\u2019]t|never|nowhere|cannot)"
_BE = r"(?:is|are|was|were)"
_CAN = r"(?:cannot|can\s+not|can['\u2019]t|could\s+not|couldn['\u2019]t)"
_BE_NOT = rf"(?:{_BE}\s*{_NOT}|(?:has|have|had)\s*{_NOT}\s+been|{_CAN}\s+be)"
_SHAPES = (
    rf"^[^.,;]*\b{_BE_NOT}\s+(?:(?:\w+ly|or|and|even)\s+){{0,4}}(?:{_SAID}|determined|inferred)\s+"
    rf"(?:\w+\s+){{0,2}}?(?:in|by|from)\s+(?:(?!(?:in|by|from)\b)\w+\s+){{0,5}}{_TEXTS}\b"
    r"(?!\s+(?:sheet|file|room|processing))",
    rf"^[^.,;]*\bnowhere\s+{_SAID}\b",
    rf"^[^.,;]{{0,30}}\b{_TEXTS}\b[^.,;]{{0,30}}\b(?:does|do|did)\s*{_NOT}\b[^.,;]{{0,20}}\b{_SAID}\b",
    rf"^[^.,;]{{0,30}}\b{_TEXTS}\b[^.,;]{{0,30}}\b(?:doesn|don|didn)['\u2019]t\b[^.,;]{{0,20}}\b{_SAID}\b",
    rf"^[^.,;]{{0,20}}\bno\s+(?:\w+\s+){{0,3}}(?:information|mention|answer|data|details?)\b[^.;]{{0,60}}(?:\b{_TEXTS}\b|$)",
    r"^(?:sorry,?\s+|unfortunately,?\s+)?i\s*(?:can\s?not|can['\u2019]t|could\s+not|couldn['\u2019]t|am\s+unable\s+to|"
    r"do\s+not|don['\u2019]t)\s+(?:(?:find|answer|determine|know|see|locate)\b|have\s+(?:\w+\s+){0,2}(?:answer|information|"
    r"data|details?|context|access|knowledge)\b)",
    rf"^(?:it\s+is\s+)?(?:unknown|unanswerable|not\s+{_SAID}|n/a|cannot\s+be\s+(?:determined|answered|found)[^.;]*)\W*$",
    r"(?:文档|文件|文中|资料|文章|文本|段落|上下文)[^。，]{0,12}(?:没有|未|不)[^。，]{0,8}(?:提|说|包含|给出|涉及|回答|答案|信息)",
    r"^(?:无法|不能)(?:回答|确定|得知|找到)",
    r"(?:資料|文書|文章|本文|書類|ドキュメント)[^。、]{0,20}(?:ありません|いません|ない|見つかりません)",
)
_REFUSES = re.compile("|".join(_SHAPES), re.IGNORECASE)
_LEAD = re.compile(r"^(?:the\s+)?answer(?:\s+to\s+(?:this|the)\s+question)?(?:\s+is)?\s*:\s*", re.IGNORECASE)
_TURNS = re.compile(
    r"\b(?:but|however|although|though|while|whereas|nevertheless|instead)\b|,\s*only\b|但|不过|しかし|ただし", re.I
)


# A source sentence that denies something itself.
_DENIES = re.compile(
    r"\b(?:no|not|never|nor|neither|none|nothing|without|cannot)\b|n['\u2019]t\b|[不没未无]|ない|ません", re.I
)
# What replies of those shapes are made of: words that say nothing about the matter asked for.
_VOCABULARY = content(
    "mention mentioned specify specified give given find found available provide provided include included contain "
    "contained address addressed disclose disclosed discuss discussed describe described indicate indicated cover "
    "covered present answer answered state tell known know information detail data context source excerpt material "
    "explicitly directly unknown determine don't doesn't didn't isn't wasn't aren't weren't can't couldn't"
)
# Share of what a reply adds to the question that a denying source sentence must hold.
_CARRIED = 0.6


def certain(text: str, fixed: str) -> bool:
    """Whether a reply is the fixed one, perhaps with a few words about it after.

    Example:
        >>> certain('"not in the documents"', "Not in the documents."), certain("Unknown.", "Not in the documents.")
        (True, False)
    """
    said, asked = _bare(text), fixed.strip().rstrip(".!\u3002")
    return bool(asked) and said.casefold().startswith(asked.casefold()) and not _goes_on(said[len(asked) :])


def refuses(text: str, fixed: str) -> bool:
    """Whether a reply is the fixed one or has the shape of one that says that the documents do not say.

    Args:
        text: the answer without citation marks.
        fixed: the reply the prompt asked for.

    Example:
        >>> refuses("The salary is not mentioned in the provided context.", "Not in the documents.")
        True
        >>> refuses("Three months; the deposit is not mentioned in the documents.", "Not in the documents.")
        False
    """
    return certain(text, fixed) or _shaped(_bare(text))


def rests(text: str, question: str, sources: Iterable[str]) -> bool:
    """Whether a reply of such a shape only repeats what its sources deny, and so is an answer.

    A source must have the shape itself, or deny something and hold what the reply adds to the question: that a source
    shares the question's words with the reply is no sign of anything.

    Args:
        text: the reply.
        question: what was asked.
        sources: the sentences that were found to carry the reply.

    Example:
        >>> reply = "The fee is not given in the documents."
        >>> rests(reply, "What is the fee?", ["The fee is two euros."]), rests(reply, "What is the fee?", [reply])
        (False, True)
    """
    added = content(text) - content(question) - _VOCABULARY
    return any(_shaped(source) or (_DENIES.search(source) and _holds(source, added)) for source in sources)


def _holds(source: str, words: frozenset[str]) -> bool:
    return bool(words) and len(words & content(source)) >= _CARRIED * len(words)


def _shaped(text: str) -> bool:
    first, rest = _first(text)
    return bool(_REFUSES.search(first)) and not _TURNS.search(first) and not _TURNS.match(rest)


def _bare(text: str) -> str:
    return _LEAD.sub("", " ".join(text.split())).strip("\"'*`_ ")


def _goes_on(rest: str) -> bool:
    """The fixed words were the beginning of a longer sentence or are taken back after it."""
    return bool(re.match(r"\s*\w", rest)) or bool(_TURNS.search(rest) and content(rest))


def _first(text: str) -> tuple[str, str]:
    end = re.search(r"[.!?](?=\s|$)|[。！？]|\n", text)
    return (text[: end.end()], text[end.end() :].lstrip()) if end else (text, "")
