"""How text is cut into chunks: the one setting that every index depends on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ragctx.errors import ConfigError

# Raised when the rules of `chunks.py` or of the loaders change, so that stored chunks of older rules are not reused.
RULES = 4


@dataclass(frozen=True, slots=True)
class Chunking:
    """Chunks are runs of whole sentences, or of whole blocks of code, of at most `words` words.

    Files of code, known by their suffix, are cut by their syntax tree with the extra `code`, and as text without it;
    what is a word of code, `measure.Measure.words` says. An index of the one is never taken for one of the other.

    Attributes:
        words: the most words in a chunk. Characters of scripts without spaces count two thirds of a word each.
        settle: share of `words` from which a paragraph's end also ends the chunk.
        code: cut files of code by their syntax tree; False cuts them as text, whatever is installed.

    Raises:
        ConfigError: a value that no chunk can satisfy.

    Example:
        >>> Chunking(words=200).digest == Chunking(words=200).digest != Chunking().digest
        True
    """

    words: int = 150
    settle: float = 0.67
    code: bool = True

    def __post_init__(self) -> None:
        if self.words < 1:
            raise ConfigError(f"a chunk needs at least one word, got words={self.words}: 100 to 300 suit most models")
        if not 0 < self.settle <= 1:
            raise ConfigError(f"settle is a share of the chunk's words in (0, 1], got {self.settle}: try 0.67")

    @property
    def digest(self) -> str:
        """Equal for chunkings that cut alike."""
        return hashlib.sha256(f"{RULES} {self.words} {self.settle!r} {self.code}".encode()).hexdigest()[:12]
