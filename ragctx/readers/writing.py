"""One answer on its way from tokens to text: what ends it, what is shown of it, and what it becomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ragctx.readers.loops import period, surplus
from ragctx.readers.text_stream import TextStream
from ragctx.work import Completion, Sampling

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(slots=True)
class Writing:
    """One request on its way: what was written so far."""

    prompt: NDArray[np.int32]
    sampling: Sampling
    stream: TextStream
    show: Callable[[str], None]
    ends: frozenset[int]
    loops: bool
    written: int = 0
    logprobs: list[float] = field(default_factory=list)
    finish: str = "length"

    def take(self, token: int, logprob: float) -> bool:
        """One more token; whether to go on."""
        self.written += 1
        if self.sampling.logprobs:
            self.logprobs.append(logprob)
        if token in self.ends and not self.sampling.ignore_end:
            self.finish = "stop"
            return False
        if piece := self.stream.push(token):
            self.show(piece)
        if self.stream.stopped:
            self.finish = "stop"
        elif not self.loops and not self.sampling.ignore_end and period(self.stream.tokens):
            self.finish = "loop"
        return self.written < self.sampling.max_tokens and self.finish == "length"

    @property
    def text(self) -> str:
        """What was written; of something repeated over and over the first copy."""
        if self.finish != "loop":
            return self.stream.text
        return self.stream.without(surplus(self.stream.tokens))

    def completion(self, cached: int, seconds: float) -> Completion:
        """The reply, once nothing more is written.

        Args:
            cached: prompt tokens that were not computed for it.
            seconds: of the machine's time.
        """
        if piece := self.stream.finish():
            self.show(piece)
        return Completion(
            text=self.text,
            prompt_tokens=len(self.prompt),
            output_tokens=self.written,
            cached_tokens=cached,
            logprobs=tuple(self.logprobs),
            finish=self.finish,
            seconds=seconds,
        )
