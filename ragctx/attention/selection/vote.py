"""The tiles of the tokens that the heads of a group vote for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ragctx.attention.extents import BLOCK
from ragctx.attention.selection.evidence import Evidence
from ragctx.attention.selection.rule import Budgeted, Mask, best, by_rows, shares

if TYPE_CHECKING:
    import torch

EVERY = 16
"""One query in so many votes, the last one of each so many; a step's only query always does."""


@dataclass(frozen=True, slots=True)
class Vote(Budgeted):
    """Tokens in the order of their votes, and their tiles, made for decoding, after TokenSelect (arXiv 2411.02886).

    A head's vote for a token is its softmax over the past; votes of a group's heads are summed. Tiles are taken in the
    order of their best tokens until the budget is spent.

    Attributes:
        budget, growth: see `Budgeted`.

    Raises:
        ConfigError: a setting out of range.

    Example:
        >>> import torch
        >>> from ragctx.attention import Extent
        >>> from ragctx.attention.selection.evidence import TensorKeys
        >>> query, keys = torch.zeros(1, 1, 16), torch.zeros(640, 1, 16)
        >>> query[..., 0], keys[200, 0, 0] = 9, 9
        >>> Vote(budget=64).mask(Evidence(Extent(1, 640), query, TensorKeys(keys))).nonzero()[2].tolist()
        [3]
    """

    name: ClassVar[str] = "vote"

    def mask(self, seen: Evidence) -> Mask:
        """See `Rule`."""
        past = seen.past()

        def choose(head: int, queries: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
            scores = queries[:, :, EVERY - 1 :: EVERY] @ past[:, head].float().T * seen.factor
            votes = shares_of_tokens(scores, own).sum((0, 2))
            return best(votes.unflatten(-1, (-1, BLOCK)).amax(-1), own, self.counts(own))

        return by_rows(seen, choose)


def shares_of_tokens(scores: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """Each sample's softmax over the tokens of earlier tiles, [group, rows, samples, tokens]."""
    return shares(scores[..., None, :], own * BLOCK)
