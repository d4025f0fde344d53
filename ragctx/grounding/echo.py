"""Takes the prompt's own fence lines out of a reply: a small model may begin by copying the one above a passage."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ragctx.prompts import quoted
from ragctx.types import Passage


def unfenced(reply: str, passages: Sequence[Passage], seed: str) -> str:
    r"""The reply without copied fence lines; the number that stood in one stays, as a citation.

    The mark occurs in no text that was read, so nothing of a document is ever taken out.

    Args:
        reply: what the model wrote.
        passages: what it read.
        seed: what the prompt's mark was made from, the corpus's manifest.

    Example:
        >>> passage = Passage("Pets are welcome.", (), "rules.txt")
        >>> unfenced("### 19b2 [1] rules.txt\nPets are welcome.", [passage], "seed")
        '[1] Pets are welcome.'
    """
    if "#" not in reply:
        return reply
    mark, shown = quoted(passages, seed)
    sources = "|".join(re.escape(one) for one in sorted({label for label, _ in shown}, key=len, reverse=True) if one)
    hashes, code = mark.split()
    line = rf"{hashes}[ \t]*{code}\b(?:[ \t]+end\b)?[ \t]*(\[\d{{1,3}}\])?[ \t]*(?:(?:{sources})(?!\w))?\s*"
    return re.sub(line, lambda found: f"{found[1]} " if found[1] else "", reply).strip()
