"""Whether a question names what it is about, or asks for all there is."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+")
# Words that ask for a summary, of everything, at some length, and name nothing that it should be about.
_GENERAL = frozenset(
    _WORD.findall("""
        a about above all an and article articles book brief briefly can chapter complete concise content contents
        conversation could detailed discussion document documents entire everything file files for full general give
        here in into is it its key long main make me meeting most of one overall overview page paper paragraph
        paragraphs passage please points provide recap report sentence sentences short shortly story sum summaries
        summarise summarised summarize summarized summary tell text texts that the these this to up us what whole
        within word words write you your
    """)
)


def named(text: str) -> bool:
    """Whether any word of a question is more than a call for a summary of everything.

    Only English is told apart; whatever else is asked names a topic.

    Example:
        >>> named("Summarize the whole meeting in 200 words."), named("Sum up what was said about the rent.")
        (False, True)
        >>> named("What is this document about?"), named("Fasse alles zusammen.")
        (False, True)
    """
    words = _WORD.findall(text.casefold())
    return not words or any(word not in _GENERAL and not word.isdigit() for word in words)
