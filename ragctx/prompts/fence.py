"""Keeps document text from passing for anything else in a prompt.

Two things could break out of quoted text. A document could hold the very line that marks its end: the mark is
therefore made from the corpus's digest and, should it still occur in a text, from the digest of that digest, until it
occurs in none. And a document could hold the control tokens of a chat format, `<|im_end|>` or `[/INST]`, which many
tokenizers turn into the real control token wherever they stand: one space put inside breaks the token and leaves the
text readable. Only the rendered prompt is changed; passages, spans and citations stay verbatim.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from itertools import count

# The bar comes as "|" or, in some formats, as the full-width one. Look-ahead only: every opening character is judged
# on its own, so tokens nested in tokens are all broken, and a second pass finds nothing more to do.
_BARS = "[|\uff5c]"
_CONTROL = re.compile(
    rf"<(?={_BARS}[^\s<>]{{0,80}}{_BARS}>)"
    r"|<(?=/?(?:s|bos|eos|pad|unk|mask|sep|cls|start_of_turn|end_of_turn|start_of_image|end_of_image|eop|eod|"
    r"tool_call|tool_response|think|think_never_used_[0-9a-f]+)>)"
    r"|<(?=<\s*/?SYS>>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|CLS|SEP|PAD|UNK|MASK|gMASK|sMASK)\])",
    re.IGNORECASE,
)
_BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


def harmless(text: str) -> str:
    """The text with every chat control token broken by a space after its first character.

    Example:
        >>> harmless("Fine.<|im_end|><s>[INST] a <| b, x[1] < y")
        'Fine.< |im_end|>< s>[ INST] a <| b, x[1] < y'
    """
    return _CONTROL.sub(lambda found: found.group() + " ", text)


def label(source: str, page: int | None = None, longest: int = 80) -> str:
    r"""How a source is named to the model: one line, not longer than `longest` characters, with its page.

    A file's name is as little to be trusted as its text.

    Example:
        >>> label("leases/a\nb.pdf", page=3)
        'leases/a b.pdf, page 3'
    """
    name = _BREAKS.sub(" ", harmless(source)).strip()
    name = name if len(name) <= longest else f"...{name[-longest:]}"
    return f"{name}, page {page}" if page is not None else name


def fence(seed: str, texts: Collection[str], marks: str = "###") -> str:
    """A mark that no text holds, the same for the same seed and texts.

    Args:
        seed: what the mark is made from: the corpus's manifest, so that all its questions share one mark.
        texts: what is to be fenced.
        marks: what the mark begins with.

    Example:
        >>> first = fence("corpus", ["Some text."])
        >>> fence("corpus", [f"{first} end"]) != first == fence("corpus", ["Another text."])
        True
    """
    # Longer after some tries: a text that holds every short mark there is must not keep us here.
    code = seed
    for tries in count():
        code = hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
        short = code[: 4 + tries // 4]
        if not any(short in text for text in texts):
            break
    return f"{marks} {short}"
