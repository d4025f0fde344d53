"""Texts as the model's own tokens, each knowing which characters it stands for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ragctx.encoders.extractive.files import Weights
from ragctx.encoders.windows import sayable

if TYPE_CHECKING:
    from ragctx.work import Message

LEAST_KNOWN = 0.5
"""The share of a question's tokens that the vocabulary has to know."""
_AROUND = 2
"""Special tokens that stand around any text."""
_KEPT = 4096
"""Characters of the longest text whose count is kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """A text's tokens without special ones.

    Attributes:
        ids: of each. starts, ends: the characters [start, end) that it stands for. known: whether the vocabulary has
            it; all are [tokens].
    """

    ids: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    known: np.ndarray

    def within(self, ranges: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
        """For every character range the first token that touches it, and the one after the last."""
        characters = np.array(ranges, np.int64).reshape(-1, 2)
        first = np.searchsorted(self.ends, characters[:, 0], side="right")
        last = np.searchsorted(self.starts, characters[:, 1], side="left")
        empty = characters[:, 0] == characters[:, 1]
        return first, np.where(empty, first, np.maximum(first, last))


class Words:
    """A model's tokenizer, read when it is first needed; also the counter of the model's facts.

    What looks like a special token in a text is read as the letters that it is: a document cannot end its own passage.
    """

    exact = True

    def __init__(self, weights: Weights) -> None:
        self._weights, self.name = weights, weights.card.name
        self._counted = lru_cache(maxsize=8192)(self._count)  # plans count the same chunks for every question

    @cached_property
    def tokenizer(self) -> Any:  # noqa: ANN401 - the library has no types
        """The tokenizer, without truncation and padding.

        Raises:
            StoreCorrupt: the file is none of a model like this one.
        """
        from tokenizers import Tokenizer

        try:
            opened = Tokenizer.from_file(str(self._weights.tokenizer))
        except Exception as error:  # the library raises plain exceptions
            raise self._weights.broken(f"its tokenizer cannot be read ({error})") from error
        opened.no_truncation()
        opened.no_padding()
        opened.encode_special_tokens = True
        return opened

    @cached_property
    def borders(self) -> tuple[int, int]:
        """Ids of what stands before a sequence and after each of its parts.

        Raises:
            StoreCorrupt: the vocabulary lacks them.
        """
        before, after = (self.tokenizer.token_to_id(name) for name in ("[CLS]", "[SEP]"))
        if before is None or after is None:
            raise self._weights.broken("its tokenizer knows no [CLS] and [SEP]")
        return before, after

    def read(self, texts: Iterable[str]) -> dict[str, Tokens]:
        """Every distinct text with its tokens."""
        distinct = list(dict.fromkeys(texts))
        encodings = self.tokenizer.encode_batch([sayable(text) for text in distinct], add_special_tokens=False)
        unknown = self.tokenizer.token_to_id("[UNK]")
        return {text: _tokens(encoding, unknown) for text, encoding in zip(distinct, encodings, strict=True)}

    def reads(self, text: str) -> bool:
        """Whether the vocabulary knows most of a text's tokens; of a text without any it does."""
        [tokens] = self.read([text]).values()
        return not len(tokens.known) or bool(tokens.known.mean() >= LEAST_KNOWN)

    def count(self, text: str) -> int:
        """Tokens of a text."""
        return self._counted(text) if len(text) <= _KEPT else self._count(text)

    def _count(self, text: str) -> int:
        return len(self.tokenizer.encode(sayable(text), add_special_tokens=False))

    def render(self, messages: Sequence[Message]) -> int:
        """Tokens of messages, each as a text on its own."""
        return sum(self.count(message.content) + _AROUND for message in messages)


def _tokens(encoding: Any, unknown: int | None) -> Tokens:  # noqa: ANN401
    ids, offsets = np.array(encoding.ids, np.int64), np.array(encoding.offsets, np.int64).reshape(-1, 2)
    return Tokens(ids, offsets[:, 0].copy(), offsets[:, 1].copy(), ids != (-1 if unknown is None else unknown))
