"""One `Embed` request: texts on their own, a long one as the mean of its windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ragctx.encoders.extractive.pairs import windows
from ragctx.encoders.extractive.words import Tokens
from ragctx.work import Embed, Vectors


@dataclass(frozen=True, slots=True, eq=False)
class Alone:
    """One sequence of one part."""

    ids: np.ndarray

    @property
    def types(self) -> np.ndarray:
        """All 0."""
        return np.zeros_like(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """A request with its passes: one list for each text."""

    request: Embed
    texts: tuple[tuple[Alone, ...], ...]

    @classmethod
    def over(cls, request: Embed, known: Mapping[str, Tokens], borders: tuple[int, int], longest: int) -> Embedding:
        """The passes of a request; a text without tokens is read as nothing between two borders."""
        before, after = borders
        made = []
        for text in request.texts:
            ids = known[text].ids
            cuts = list(windows(len(ids), longest - 2, overlap=0)) or [(0, 0)]
            made.append(tuple(Alone(np.array([before, *ids[a:b], after], np.int64)) for a, b in cuts))
        return cls(request, tuple(made))

    @property
    def passes(self) -> list[Alone]:
        """All of them, in order."""
        return [one for passes in self.texts for one in passes]

    def reply(self, said: Sequence[np.ndarray], width: int, seconds: float) -> Vectors:
        """Rows of unit length, float32 [texts, width], from the passes' vectors in their order."""
        rows, at = np.zeros((len(self.texts), width), np.float32), 0
        for number, passes in enumerate(self.texts):
            weights = np.array([len(one.ids) for one in passes], np.float32)
            rows[number] = weights @ np.stack(said[at : at + len(passes)])
            at += len(passes)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        tokens = sum(len(one.ids) for one in self.passes)
        return Vectors(rows / np.where(lengths > 0, lengths, 1), tokens, seconds)
