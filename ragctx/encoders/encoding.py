"""A backend around anything that has `encode(list of str) -> array`, the lingua franca of embedding libraries."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from ragctx.contracts import Emit
from ragctx.models import EstimatedCounter, ModelFacts
from ragctx.types import Speed
from ragctx.work import Embed, Failure, Reply, Request, Vectors

if TYPE_CHECKING:
    import numpy as np


class Encode(Protocol):
    """What an embedding object must be able to do."""

    def encode(self, texts: list[str], /) -> Any:  # noqa: ANN401 - an array, a tensor, or a list of lists
        """One row of numbers for each text."""
        ...


@dataclass(slots=True)
class Encoder:
    """Answers `Embed` requests in lists, all texts of a list encoded together.

    One call for all of them lets the model sort texts by length over the whole list, so that little is padded.

    Attributes:
        known: its facts but for the speed, which the first texts served add.
        load: makes the model when the first request comes, so that planning never waits for it.
        tokens: counts the tokens of texts, as billed.
        batch: the most requests wanted at once.
    """

    known: ModelFacts
    load: Callable[[], Encode]
    tokens: Callable[[Sequence[str]], int]
    batch: int = 32
    _model: Encode | None = field(default=None, repr=False)
    _spent: tuple[int, float] = field(default=(0, 0.0), repr=False)

    @classmethod
    def around(cls, model: Encode) -> Encoder:
        """The backend around an object; its identity is its class and, where it says one, its name."""
        title = str(getattr(model, "name", "") or getattr(model, "model_name", "") or type(model).__qualname__)
        identity = f"{type(model).__module__}.{type(model).__qualname__}:{title}"
        counter = EstimatedCounter()
        facts = ModelFacts(title, counter, identity=identity, kinds=frozenset({"Embed"}))
        return cls(facts, lambda: model, lambda texts: sum(map(counter.count, texts)))

    @property
    def facts(self) -> ModelFacts:
        """Its facts, with the speed measured so far."""
        tokens, seconds = self._spent
        speed = Speed(prompt=tokens / seconds, output=1.0) if tokens and seconds else self.known.speed
        return replace(self.known, speed=speed)

    def serve(self, requests: Sequence[Request], emit: Emit) -> Sequence[Reply]:
        """Vectors for every `Embed`, L2-normalised float32; a failure in the slot of anything else."""
        replies: list[Reply] = [
            Failure("bad_request", f"{self.known.name} embeds only, it cannot answer {type(request).__name__}")
            for request in requests
        ]
        for query in (False, True):
            mine = [(i, r) for i, r in enumerate(requests) if isinstance(r, Embed) and r.query is query]
            for (i, _), vectors in zip(mine, self._embed([r for _, r in mine], query=query), strict=True):
                replies[i] = vectors
        return replies

    def close(self) -> None:
        """Let go of the model."""
        self._model = None

    def _embed(self, requests: Sequence[Embed], *, query: bool) -> list[Vectors]:
        texts = [text for request in requests for text in request.texts]
        if not texts:
            return [Vectors(_rows([], 0)) for _ in requests]
        if self._model is None:
            self._model = self.load()
        started = time.perf_counter()
        rows = _rows(_method(self._model, query=query)(texts), len(texts))
        seconds = time.perf_counter() - started
        counts = [self.tokens(request.texts) for request in requests]
        self._spent = (self._spent[0] + sum(counts), self._spent[1] + seconds)
        replies, at = [], 0
        for request, count in zip(requests, counts, strict=True):
            share = seconds * len(request.texts) / len(texts)
            replies.append(Vectors(rows[at : at + len(request.texts)], count, share))
            at += len(request.texts)
        return replies


def _method(model: Encode, *, query: bool) -> Callable[[list[str]], Any]:
    """The model's own form for questions or for documents, where it tells them apart."""
    named = getattr(model, "encode_query" if query else "encode_document", None)
    return named if callable(named) else model.encode


def _rows(vectors: Any, count: int) -> np.ndarray:  # noqa: ANN401 - whatever the model returned
    """Float32 rows of length 1; a row of zeros stays zero."""
    import numpy as np

    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    if not count:
        return rows.reshape(0, 0)
    if rows.ndim != 2 or len(rows) != count:
        raise ValueError(f"the encoder returned shape {rows.shape} for {count} texts: it must return one row for each")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    normal: np.ndarray = rows / np.where(lengths > 0, lengths, 1)
    return normal
