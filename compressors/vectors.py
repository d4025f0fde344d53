"""What an encoder answers, checked before anything is ranked by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ragctx.errors import RequestFailed
from ragctx.work import Reply, Vectors, raised

if TYPE_CHECKING:
    from numpy.typing import NDArray


def rows(reply: Reply, wanted: int) -> NDArray[Any]:
    """One vector of finite numbers for each text.

    Args:
        reply: to an `Embed`.
        wanted: how many texts were sent.

    Raises:
        RequestFailed: the request failed, or the encoder answered something else.

    Example:
        >>> rows(Vectors(np.ones((2, 3), dtype=np.float32)), 2).shape
        (2, 3)
    """
    found = cast("Vectors", raised(reply)).rows
    if len(found) != wanted:
        raise RequestFailed("malformed", f"the encoder sent {len(found)} vectors for {wanted} texts")
    if not np.isfinite(found).all():
        raise RequestFailed("malformed", "the encoder sent vectors that are no numbers: use other weights")
    return found
