"""Recognises the reply that means: the documents do not say.

The prompt allows one short fixed reply for it. Small models paraphrase it, so a few shapes are recognised as well. A
refusal must be the first thing said: an answer that goes on to mention what is missing is an answer.
"""

from __future__ import annotations

import re

from ragctx.grounding.words import content

_TEXTS = r"(?:documents?|passages?|texts?|contexts?|sources?|excerpts?|information|materials?|data)"
_SAID = (
    r"(?:stated?|mention(?:ed)?|specif(?:y|ied)|gi(?:ve|ven)|found|available|provided?|includ(?:ed?)|contain(?:ed)?|"
    r"address(?:ed)?|disclosed?|discuss(?:ed)?|sa(?:y|id)|describ(?:ed?)|indicated?|cover(?:ed)?|present|answer(?:ed)?|"
    r"state|tell|known)"
)
_NOT = r"(?:not|n['\u2019]t|never|nowhere|cannot)"
_SHAPES = (
    rf"^[^.,;]*\b(?:is|are|was|were)?\s*(?:{_NOT})\b[^.,;]{{0,30}}\b{_SAID}\b[^.,;]{{0,30}}\b(?:in|by)\b[^.,;]{{0,40}}\b{_TEXTS}\b",
    rf"^[^.,;]{{0,30}}\b{_TEXTS}\b[^.,;]{{0,30}}\b(?:does|do|did)\s*{_NOT}\b[^.,;]{{0,20}}\b{_SAID}\b",
    rf"^[^.,;]{{0,30}}\b{_TEXTS}\b[^.,;]{{0,30}}\b(?:doesn|don|didn)['\u2019]t\b[^.,;]{{0,20}}\b{_SAID}\b",
    rf"^[^.,;]{{0,20}}\bno\s+(?:\w+\s+){{0,3}}(?:information|mention|answer|data|details?)\b[^.;]{{0,60}}(?:\b{_TEXTS}\b|$)",
    r"^(?:sorry,?\s+|unfortunately,?\s+)?i\s*(?:can\s?not|can['\u2019]t|could\s+not|couldn['\u2019]t|am\s+unable\s+to|"
    r"do\s+not|don['\u2019]t)\s+(?:find|answer|determine|know|see|locate|have)\b",
    rf"^(?:it\s+is\s+)?(?:unknown|unanswerable|not\s+{_SAID}|n/a|cannot\s+be\s+(?:determined|answered|found)[^.;]*)\W*$",
    r"(?:文档|文件|文中|资料|文章|文本|段落|上下文)[^。，]{0,12}(?:没有|未|不)[^。，]{0,8}(?:提|说|包含|给出|涉及|回答|答案|信息)",
    r"^(?:无法|不能)(?:回答|确定|得知|找到)",
    r"(?:資料|文書|文章|本文|書類|ドキュメント)[^。、]{0,20}(?:ありません|いません|ない|見つかりません)",
)
_REFUSES = re.compile("|".join(_SHAPES), re.IGNORECASE)
_LEAD = re.compile(r"^(?:the\s+)?answer(?:\s+to\s+(?:this|the)\s+question)?(?:\s+is)?\s*:\s*", re.IGNORECASE)
_TURNS = re.compile(
    r"\b(?:but|however|although|though|while|whereas|nevertheless|instead)\b|但|不过|しかし|ただし", re.I
)


def refuses(text: str, fixed: str) -> bool:
    """Whether an answer says that the documents do not say.

    Args:
        text: the answer without citation marks.
        fixed: the reply the prompt asked for.

    Example:
        >>> refuses("The salary is not mentioned in the provided context.", "Not in the documents.")
        True
        >>> refuses("Three months; the deposit is not mentioned in the documents.", "Not in the documents.")
        False
    """
    said = _LEAD.sub("", " ".join(text.split())).strip("\"'*`_ ")
    asked = fixed.strip().rstrip(".!\u3002")
    if asked and said.casefold().startswith(asked.casefold()) and not _goes_on(said[len(asked) :]):
        return True
    first, rest = _first(said)
    return bool(_REFUSES.search(first)) and not _TURNS.search(first) and not _TURNS.match(rest)


def _goes_on(rest: str) -> bool:
    """The fixed words were the beginning of a longer sentence or are taken back after it."""
    return bool(re.match(r"\s*\w", rest)) or bool(_TURNS.search(rest) and content(rest))


def _first(text: str) -> tuple[str, str]:
    end = re.search(r"[.!?](?=\s|$)|[。！？]|\n", text)
    return (text[: end.end()], text[end.end() :].lstrip()) if end else (text, "")
