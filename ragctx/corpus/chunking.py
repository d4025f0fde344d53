"""How text is cut into chunks: the one setting that every index depends on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ragctx.errors import ConfigError

# Raised when the rules of `chunks.py` or of the loaders change, so that stored chunks of older rules are not reused.
RULES = 3


@dataclass(frozen=True, slots=True)
class Chunking:
    """Chunks are runs of whole sentences of at most `words` words.

    Attributes:
        words: the most words in a chunk. Characters of scripts without spaces count two thirds of a word each.
        settle: share of `words` from which a paragraph's end also ends the chunk.

    Raises:
        ConfigError: a value that no chunk can satisfy.

    Example:
        >>> Chunking(words=200).digest == Chunking(words=200).digest != Chunking().digest
        True
    """

    words: int = 150
    settle: float = 0.67

    def __post_init__(self) -> None:
        if self.words < 1:
            raise ConfigError(f"a chunk needs at least one word, got words={self.words}: 100 to 300 suit most models")
        if not 0 < self.settle <= 1:
            raise ConfigError(f"settle is a share of the chunk's words in (0, 1], got {self.settle}: try 0.67")

    @property
    def digest(self) -> str:
        """Equal for chunkings that cut alike."""
        return hashlib.sha256(f"{RULES} {self.words} {self.settle!r}".encode()).hexdigest()[:12]
