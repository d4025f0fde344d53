"""A checkpoint in vLLM as the reader opens it, in one thread, with prompts as tokens and policies that may change."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ragctx.attention.vllm.counts import Counts
from ragctx.attention.vllm.options import Options
from ragctx.readers.local_counter import TokenizerCounter
from ragctx.readers.local_weights import find
from ragctx.readers.text_stream import TextStream
from ragctx.readers.vllm_engine import Engine
from ragctx.readers.vllm_loading import Setup
from ragctx.readers.vllm_memory import Footprint, free
from ragctx.readers.vllm_positions import Stretched
from ragctx.readers.writing import Writing
from ragctx.work import Message, Sampling

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Tokens = NDArray[np.int32]


@dataclass(slots=True)
class Rig:
    """An engine and its tokenizer.

    Attributes:
        identity: of the weights. ends: tokens that end an answer. window: tokens of a request at most.
    """

    engine: Engine
    counter: TokenizerCounter
    identity: str
    ends: frozenset[int]
    window: int

    @classmethod
    def open(cls, name: str, window: int, *, chunk: int = 2048, positions: str = "", clock: bool = False) -> Rig:
        """Load a checkpoint.

        Args:
            name: as the reader takes it.
            window: tokens of a request, also more than the checkpoint was trained to.
            chunk: tokens of a step; 0 is the whole prompt.
            positions: as the reader takes them; empty leaves them as they are, however long the window is.
            clock: whether attention's seconds are taken.
        """
        checkpoint = find(name)
        stretched = Stretched.of(positions, checkpoint.folder)
        overrides = dict(stretched.overrides)
        if not positions and window > (checkpoint.window or window):
            overrides = {"max_position_embeddings": window}
        keys = Footprint.read(checkpoint.folder, "bfloat16").keys(window, 0, free(), name)
        setup = Setup(checkpoint.folder, "bfloat16", window, keys, 16, chunk or window, 1, overrides)
        options = Options(threads=1, clock=clock, dual=stretched.dual)
        counter = TokenizerCounter(checkpoint.folder, name)
        return cls(Engine(setup, options), counter, checkpoint.identity, checkpoint.ends, window)

    def attend(self, policy: Any, dense: str = "stock") -> None:
        """Attend by a policy from now on, and count anew; None is dense attention, by vLLM's kernel or our "own"."""
        self.engine.switch(replace(self.engine.options, sparse=policy, dense=dense))

    @property
    def counts(self) -> Counts:
        """What attention did since then."""
        return self.engine.counts

    def prompt(self, text: str) -> Tokens:
        """What is said to the model, as tokens."""
        return self.counter.encode((Message("user", text),))

    def read(self, tokens: Tokens) -> dict[str, float]:
        """CPU seconds until the first token of an answer, nothing reused; and what all threads took over this one."""
        started = time.process_time(), time.thread_time()
        self._write({0: tokens}, 1, cached=False, on=True)
        process, thread = time.process_time() - started[0], time.thread_time() - started[1]
        return {"seconds": process, "threads": process / thread}

    def ask(self, prompts: Sequence[Tokens], most: int) -> list[str]:
        """Greedy answers. The first prompt is read before the others, so that these find what they share with it."""
        texts = self._write({0: prompts[0]}, most) | (
            self._write(dict(enumerate(prompts[1:], 1)), most) if len(prompts) > 1 else {}
        )
        return [texts[number] for number in range(len(prompts))]

    def close(self) -> None:
        """Release it."""
        self.engine.close()

    def _write(self, prompts: dict[int, Tokens], most: int, cached: bool = True, on: bool = False) -> dict[int, str]:
        sampling = Sampling(max_tokens=most, ignore_end=on)
        writings = {
            number: Writing(tokens, sampling, TextStream(self.counter.decode), _nothing, self.ends, loops=True)
            for number, tokens in prompts.items()
        }
        self.engine.write(writings, cached)
        return {number: writing.stream.text for number, writing in writings.items()}


def _nothing(text: str) -> None:
    """Nobody watches."""
