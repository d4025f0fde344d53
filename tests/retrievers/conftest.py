"""A real encoder backend around a toy model: vectors of word counts, the same for the same words."""

from __future__ import annotations

import re
import zlib

import numpy as np
import pytest

from ragctx.encoders import open_encoder
from ragctx.models import Models
from ragctx.work import run


class WordCounts:
    """Each word adds one to a dimension picked by its checksum; keeps every text it was given."""

    name = "word-counts"

    def __init__(self):
        self.seen = []
        self.fail_after = None

    def encode(self, texts):
        if self.fail_after is not None and len(self.seen) >= self.fail_after:
            raise KeyboardInterrupt
        self.seen.extend(texts)
        rows = np.zeros((len(texts), 64), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in re.findall(r"\w", text.lower()) + re.findall(r"\w+", text.lower()) * 4:
                row[zlib.crc32(word.encode()) % 64] += 1
            row[0] += 0.01
        return rows


class Bench:
    """Runs work against the toy encoder, through the backend that the engine would use."""

    def __init__(self):
        self.model = WordCounts()
        self.encoder = open_encoder(self.model)
        self.models = Models({"encoder": self.encoder.facts})
        self.batches = []

    def answer(self, requests):
        self.batches.append(list(requests))
        return self.encoder.serve(requests, lambda i, text: None)

    def __call__(self, work):
        return run(work, self.answer)


@pytest.fixture
def bench():
    return Bench()
