"""The model on ONNX Runtime: one pass after the other on each of a few threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from ragctx.encoders.extractive.files import CARD, Weights
from ragctx.encoders.extractive.words import Words
from ragctx.errors import ConfigError

INPUTS = ("ids", "types", "mask")
OUTPUTS = ("relevance", "keep", "start", "end", "embedding")
T = TypeVar("T")


class Outputs(NamedTuple):
    """What one pass gives, float32: a logit, three logits a token [tokens], and a unit vector [width]."""

    relevance: float
    keep: np.ndarray
    start: np.ndarray
    end: np.ndarray
    embedding: np.ndarray


class Sequenced(Protocol):
    """Anything with token ids and the part that each belongs to, both int64 [tokens]."""

    @property
    def ids(self) -> np.ndarray:
        """Token ids."""
        ...

    @property
    def types(self) -> np.ndarray:
        """0 or 1 for each."""
        ...


class Session:
    """Runs every sequence by itself.

    In int8 a batch's largest number sets the scale of all its numbers, so a pair would answer differently in other
    company; alone it never does, and nothing is padded. ONNX Runtime lets go of the interpreter while it computes, so
    the threads of one process share the work.

    Args:
        weights: whose file is read now.
        threads: passes at once.

    Raises:
        StoreCorrupt: the file is no model of this shape, or it cannot read what its card says.
    """

    def __init__(self, weights: Weights, words: Words, threads: int) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="ragctx-reader") if threads > 1 else None
        self._session = _opened(weights)
        self._try(weights, words)

    def map(self, passes: Sequence[T], read: Callable[[T], Any], size: Callable[[T], int]) -> list[Any]:
        """`read` of every pass, in order; the longest go first, so that no thread ends with a long one alone."""
        order = sorted(range(len(passes)), key=lambda place: -size(passes[place]))
        done: Iterable[Any] = (self._pool.map if self._pool else map)(read, [passes[place] for place in order])
        results: list[Any] = [None] * len(passes)
        for place, result in zip(order, done, strict=True):
            results[place] = result
        return results

    def run(self, one: Sequenced) -> Outputs:
        """One pass."""
        ids = one.ids[None]
        given = {"ids": ids, "types": one.types[None], "mask": np.ones_like(ids)}
        relevance, *rows = self._session.run(OUTPUTS, given)
        return Outputs(float(relevance[0]), *(row[0] for row in rows))

    def close(self) -> None:
        """Let the threads go."""
        if self._pool:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _try(self, weights: Weights, words: Words) -> None:
        """Read the highest token id of the vocabulary once, and a pass as long as any: numbers of the card's shape."""
        (before, after), longest = words.borders, weights.card.longest
        highest = np.array([before, words.tokenizer.get_vocab_size() - 1, after], np.int64)
        self._tried(weights, highest, "its own vocabulary")
        self._tried(weights, np.full(longest, after, np.int64), f"{longest} tokens, which {CARD} says it can")

    def _tried(self, weights: Weights, ids: np.ndarray, what: str) -> None:
        try:
            outputs = self.run(_Trial(ids, np.zeros_like(ids)))
            shapes = [row.shape for row in outputs[1:]]
        except Exception as error:  # the library's exceptions share no class
            raise weights.broken(f"its model cannot read {what} ({_first(error)})") from error
        many = (len(ids),)
        if shapes != [many, many, many, (weights.card.width,)]:
            raise weights.broken(f"its model gives {shapes} for {len(ids)} tokens, not three of {many} and a vector")
        if not all(np.isfinite(numbers).all() for numbers in outputs):
            raise weights.broken("its model gives numbers that are none")


class _Trial(NamedTuple):
    ids: np.ndarray
    types: np.ndarray


def cores(threads: int | None) -> int:
    """How many threads are meant.

    Raises:
        ConfigError: it is no whole number, or fewer than one.
    """
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not isinstance(threads, int) or threads < 1:
        raise ConfigError(
            f"threads={threads!r}: the reading model needs at least one, a whole number, or None for every core"
        )
    return threads


def _opened(weights: Weights) -> Any:  # noqa: ANN401 - the library has no types
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # a plan for every length would be kept, and lengths hardly repeat
    options.log_severity_level = 4  # what goes wrong is raised; it is not printed too
    try:
        session = onnxruntime.InferenceSession(str(weights.model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library's exceptions share no class
        raise weights.broken(f"its model is none of ONNX Runtime's ({_first(error)})") from error
    wrong = _foreign(session)
    if wrong:
        raise weights.broken(wrong)
    return session


def _foreign(session: Any) -> str:  # noqa: ANN401
    """How a model differs from ours; empty where it does not."""
    inputs = {given.name: given.type for given in session.get_inputs()}
    outputs = {given.name for given in session.get_outputs()}
    if inputs != dict.fromkeys(INPUTS, "tensor(int64)"):
        return f"its model takes {', '.join(inputs) or 'nothing'}, not {', '.join(INPUTS)} of int64"
    lacking = [name for name in OUTPUTS if name not in outputs]
    return f"its model does not give {', '.join(lacking)}" if lacking else ""


def _first(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
