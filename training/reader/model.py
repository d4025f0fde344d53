"""The model: one small encoder, and what is read off its tokens."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn
from transformers import AutoConfig, AutoModel


class Heads(NamedTuple):
    """What one pass gives.

    Attributes:
        relevance: logits [pairs]. keep, start, end: logits [pairs, tokens]; place 0 of start and end is "no answer".
        embedding: unit vectors [pairs, width], meant for single texts.
    """

    relevance: Tensor
    keep: Tensor
    start: Tensor
    end: Tensor
    embedding: Tensor


class Reader(nn.Module):  # type: ignore[misc]  # torch is not followed
    """A BERT-like encoder with heads for relevance, keep, start and end, and its mean as the embedding."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        width = encoder.config.hidden_size
        self.encoder = encoder
        self.tokens = nn.Linear(width, 3)
        self.relevance = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))

    @classmethod
    def over(cls, folder: Path) -> Reader:
        """A reader with untrained heads on the encoder of a folder (transformers layout)."""
        # Dropping attention out costs a third of the speed on a processor: its random numbers are drawn by one thread.
        encoder = AutoModel.from_pretrained(
            folder, attn_implementation="eager", add_pooling_layer=False, attention_probs_dropout_prob=0.0
        )
        return cls(encoder)

    @classmethod
    def tiny(cls, folder: Path) -> Reader:
        """A reader with two narrow random layers and the vocabulary of a folder, for tests."""
        config = AutoConfig.from_pretrained(
            folder, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
        )
        return cls(AutoModel.from_config(config, attn_implementation="eager", add_pooling_layer=False))

    def forward(self, ids: Tensor, types: Tensor, mask: Tensor) -> Heads:
        """One pass; all three int64 [pairs, tokens]."""
        hidden = self.encoder(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state
        keep, start, end = self.tokens(hidden).unbind(-1)
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * weights).sum(1) / weights.sum(1)
        return Heads(self.relevance(hidden[:, 0]).squeeze(-1), keep, start, end, nn.functional.normalize(mean, dim=-1))
