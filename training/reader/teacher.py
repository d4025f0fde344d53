"""The embeddings that the model has to keep: those of the encoder that it began as."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from training.reader.model import Reader

LONGEST = 256
"""Tokens, as the encoder's own library cuts texts."""


class Embedder:
    """Turns texts into the padded tensors of single texts."""

    def __init__(self, tokenizer: str) -> None:
        self._tokenizer = Tokenizer.from_file(tokenizer)
        self._tokenizer.enable_truncation(LONGEST)
        self._tokenizer.enable_padding()

    def tensors(self, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """ids, types and mask, int64 [texts, tokens]."""
        encodings = self._tokenizer.encode_batch(list(texts))
        rows = ([e.ids for e in encodings], [e.type_ids for e in encodings], [e.attention_mask for e in encodings])
        ids, types, mask = (torch.tensor(row) for row in rows)
        return ids, types, mask


def embed(reader: Reader, embedder: Embedder, texts: Sequence[str], batch: int = 32) -> np.ndarray:
    """Unit vectors float32 [texts, width], computed in the order of length."""
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    made = np.empty((len(texts), reader.encoder.config.hidden_size), np.float32)
    reader.eval()
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        for start in range(0, len(order), batch):
            places = order[start : start + batch]
            heads = reader(*embedder.tensors([texts[place] for place in places]))
            made[places] = heads.embedding.float().numpy()
    return made


def vectors(reader: Reader, embedder: Embedder, texts: Sequence[str], file: Path) -> dict[str, np.ndarray]:
    """Text -> vector; read from the file where it holds as many, else made and stored there."""
    if file.exists() and len(stored := np.load(file)) == len(texts):
        return dict(zip(texts, stored, strict=True))
    made = embed(reader, embedder, texts)
    np.save(file, made)
    return dict(zip(texts, made, strict=True))
