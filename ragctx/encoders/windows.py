"""Texts as a checkpoint's own tokens: one tokenizer, windows of tokens with exact places, weights of ranges."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ragctx.errors import ConfigError
from ragctx.models import EstimatedCounter

Range = tuple[int, int]
_HALVES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Window:
    """One sequence for the model.

    Attributes:
        ids: its tokens. first: the place in it where the text's tokens begin.
        places: characters [start, end) of the text for each of them.
    """

    ids: list[int]
    first: int
    places: Sequence[Range]


@dataclass(frozen=True, slots=True)
class TokenCounter(EstimatedCounter):
    """The checkpoint's own tokenizer as a counter."""

    tokenizer: Any = None
    name: str = "tokenizer"
    exact: bool = True

    def count(self, text: str) -> int:
        """Tokens of a text, without the special ones."""
        return len(self.tokenizer.encode(sayable(text), add_special_tokens=False).ids)


def sayable(text: str) -> str:
    r"""The text with a mark in place of halves of characters, which no tokenizer takes; every place stays.

    Example:
        >>> sayable("a\ud800b") == "a\ufffdb"
        True
    """
    return text if text.isascii() else _HALVES.sub("\ufffd", text)


def opened(folder: Path, known: int | None) -> Any:  # noqa: ANN401 - the library has no types
    """A checkpoint's tokenizer, which neither cuts nor pads.

    Args:
        folder: of the checkpoint.
        known: tokens that the weights know, where somebody said.

    Raises:
        ConfigError: there is none, or it does not belong to the weights.
    """
    from tokenizers import Tokenizer

    file = folder / "tokenizer.json"
    if not file.is_file():
        raise ConfigError(f"{folder} has no tokenizer.json: fetch the checkpoint with its tokenizer files")
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as broken:  # the library raises bare Exception for what it cannot parse
        raise ConfigError(f"{file} is no tokenizer ({broken}): fetch the checkpoint again") from broken
    if known is not None and tokenizer.get_vocab_size() > known:
        counts = f"{tokenizer.get_vocab_size():,} tokens and the weights {known:,}"
        raise ConfigError(f"{file} knows {counts}: they belong to two checkpoints; fetch both again")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def pooled(places: Sequence[Range], weights: np.ndarray, units: Sequence[Range]) -> tuple[float, ...]:
    """For each unit the mean of its tokens' weights; a token belongs where its last character stands.

    Args:
        places: characters [start, end) of each token, in order; shape (tokens, 2).
        weights: of each token, shape (tokens,).
        units: characters [start, end), in any order.

    Example:
        >>> pooled([(0, 4), (4, 7), (8, 12)], np.array([0.2, 0.4, 0.9]), [(0, 7), (8, 12), (12, 13)])
        (0.3, 0.9, 0.0)
    """
    if not len(places) or not len(units):
        return (0.0,) * len(units)
    spots, ranges = np.array(places, dtype=np.int64), np.array(units, dtype=np.int64)
    real = spots[:, 1] > spots[:, 0]
    lasts = spots[real, 1] - 1
    order = np.argsort(lasts, kind="stable")
    lasts, sums = lasts[order], np.concatenate([[0.0], np.cumsum(weights[real][order])])
    low, high = np.searchsorted(lasts, ranges[:, 0]), np.searchsorted(lasts, ranges[:, 1])
    counts = np.maximum(high - low, 0)
    means = np.where(counts > 0, (sums[np.maximum(high, low)] - sums[low]) / np.maximum(counts, 1), 0.0)
    return tuple(np.clip(means, 0.0, 1.0).round(6).tolist())
