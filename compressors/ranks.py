"""One ranking of texts from a model's numbers and the order in which they came."""

from __future__ import annotations

from collections.abc import Sequence

# How little the first places stand out; 60 in the paper.
_K = 60.0


def fused(values: Sequence[float], *, with_given: bool = True) -> list[int]:
    """Numbers of texts, best first: by their values, and by the places they came in as far as both agree.

    A model and the search before it err on different questions, so their places are added up by reciprocal ranks
    (Cormack, Clarke and Buettcher, SIGIR 2009). Of equals the one with the larger value comes first, then the earlier.

    Args:
        values: of each text, larger is better.
        with_given: False ranks by the values alone.

    Example:
        >>> fused([0.1, 0.9, 0.8, 0.2]), fused([0.1, 0.9, 0.8, 0.2], with_given=False)
        ([1, 0, 2, 3], [1, 2, 3, 0])
    """
    by_value = sorted(range(len(values)), key=lambda i: (-values[i], i))
    if not with_given:
        return by_value
    place = {i: rank for rank, i in enumerate(by_value)}
    return sorted(by_value, key=lambda i: (-1 / (_K + 1 + i) - 1 / (_K + 1 + place[i]), place[i]))
