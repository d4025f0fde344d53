"""How fast each pair of a head's numbers turns with the position: plain, and stretched in the ways checkpoints name.

All are told as radians a token, fastest first. Rotary positions are arXiv 2104.09864, YaRN is arXiv 2309.00071; the
other two are what configurations call `linear` and `llama3`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Frequencies = NDArray[np.float64]


def plain(width: int, base: float) -> Frequencies:
    """base^(-2i / width), for width / 2 pairs.

    Example:
        >>> plain(4, 10000.0).tolist()
        [1.0, 0.01]
    """
    return np.asarray(base ** (-np.arange(0, width, 2) / width), np.float64)


def linear(frequencies: Frequencies, factor: float) -> Frequencies:
    """Positions squeezed into the trained range."""
    return frequencies / factor


def llama3(frequencies: Frequencies, factor: float, low: float, high: float, trained: int) -> Frequencies:
    """Slow pairs squeezed, fast ones left, those between mixed.

    Args:
        frequencies: the plain ones.
        factor: by which slow pairs are slowed.
        low: a pair that turns fewer times than this over the trained length is slow.
        high: one that turns more often than this is fast.
        trained: tokens the model was trained to.
    """
    turns = trained * frequencies / (2 * math.pi)
    fast = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return frequencies * (fast + (1.0 - fast) / factor)


def yarn(
    frequencies: Frequencies,
    base: float,
    factor: float,
    trained: int,
    fast: float = 32.0,
    slow: float = 1.0,
    whole: bool = True,
) -> Frequencies:
    """Pairs that turn often over the trained length are left, those that hardly turn are squeezed, between is a ramp.

    Args:
        frequencies: the plain ones.
        base: that they were made with.
        factor: by which the window grows.
        trained: tokens the model was trained to.
        fast: turns over the trained length from which a pair is left as it is.
        slow: turns below which it is squeezed wholly.
        whole: the ramp begins and ends at a whole pair.

    Example:
        >>> yarn(plain(8, 10000.0), 10000.0, 4.0, 8192).round(6).tolist()
        [1.0, 0.1, 0.0075, 0.0005]
    """
    width = 2 * len(frequencies)
    begin, end = (width * math.log(trained / (turns * 2 * math.pi)) / (2 * math.log(base)) for turns in (fast, slow))
    if whole:
        begin, end = math.floor(begin), math.ceil(end)
    begin, end = max(begin, 0), min(end, width - 1)
    ramp = np.clip((np.arange(len(frequencies)) - begin) / (end - begin or 0.001), 0.0, 1.0)
    return np.asarray(frequencies * (1.0 - ramp + ramp / factor))


def temperature(factor: float) -> float:
    """What YaRN multiplies queries and keys with, each, so that attention over a longer text stays as sharp.

    Example:
        >>> temperature(1.0), round(temperature(4.0), 4)
        (1.0, 1.1386)
    """
    return 1.0 + 0.1 * math.log(max(factor, 1.0))
