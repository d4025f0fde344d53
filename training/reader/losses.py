"""What the model is asked to get right, each a mean over what is labelled."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from training.reader.features import UNKNOWN, Batch
from training.reader.model import Heads

FAR = -1e4


def total(heads: Heads, batch: Batch) -> dict[str, Tensor]:
    """The parts of the loss, weighted; their sum is what is minimised."""
    return {
        "span": 0.5 * (border(heads.start, batch.starts, batch) + border(heads.end, batch.ends, batch)),
        "keep": keep(heads, batch),
        "relevance": 0.5 * relevance(heads, batch) + 0.5 * ranking(heads, batch),
    }


def border(logits: Tensor, gold: Tensor, batch: Batch) -> Tensor:
    """Minus the log of the probability that falls on any gold place; place 0 means no answer.

    Only the passage and place 0 may be chosen.
    """
    open_places = batch.types.bool() & batch.mask.bool()
    open_places[:, 0] = True
    scores = logits.float().masked_fill(~open_places, FAR).log_softmax(-1)
    held = scores.masked_fill(gold == 0, FAR).logsumexp(-1)
    return -(held * batch.placed).sum() / batch.placed.sum().clamp(min=1)


def keep(heads: Heads, batch: Batch) -> Tensor:
    """Binary cross-entropy over the passage's tokens; each pair counts alike, however long."""
    known = (batch.keep != UNKNOWN).float()
    each = functional.binary_cross_entropy_with_logits(heads.keep.float(), batch.keep.clamp(min=0), reduction="none")
    pairs = known.sum(-1)
    return ((each * known).sum(-1) / pairs.clamp(min=1)).sum() / (pairs > 0).sum().clamp(min=1)


def relevance(heads: Heads, batch: Batch) -> Tensor:
    """Binary cross-entropy of every pair."""
    return functional.binary_cross_entropy_with_logits(heads.relevance.float(), batch.relevant)


def ranking(heads: Heads, batch: Batch) -> Tensor:
    """Cross-entropy of the answering passage among those of its question."""
    same = batch.groups[:, None] == batch.groups[None, :]
    scores = heads.relevance.float()[None, :].masked_fill(~same, FAR).log_softmax(-1)
    return -(scores.diagonal() * batch.relevant).sum() / batch.relevant.sum()


def likeness(embedding: Tensor, teacher: Tensor) -> Tensor:
    """How far embeddings are from a teacher's, and how far their likenesses to each other are.

    Args:
        embedding: unit vectors [texts, width].
        teacher: likewise, of the same texts.
    """
    apart = 1 - (embedding.float() * teacher).sum(-1).mean()
    among = (embedding.float() @ embedding.float().T - teacher @ teacher.T).square().mean()
    return apart + 5 * among


def weighted(parts: dict[str, Tensor]) -> Tensor:
    """The sum of all parts."""
    return torch.stack(list(parts.values())).sum()
