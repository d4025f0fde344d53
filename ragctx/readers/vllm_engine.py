"""vLLM's engine in this process: loaded once, looked at before it is trusted, and driven step by step."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from ragctx.attention.vllm import check
from ragctx.attention.vllm.counts import Counts
from ragctx.attention.vllm.options import Options
from ragctx.errors import ConfigError
from ragctx.readers import vllm_params as params
from ragctx.readers.vllm_loading import Setup, load

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ragctx.readers.local_scoring import Scoring
    from ragctx.readers.writing import Writing


_open: set[int] = set()  # engines of this process


class Engine:
    """One model in vLLM.

    Args:
        setup: what it is loaded with. options: how it attends.

    Raises:
        MissingExtra: vLLM is not installed.
        ConfigError: it does not load, or attends by another backend than `options` need.
    """

    def __init__(self, setup: Setup, options: Options) -> None:
        self._numbers = count()
        self._llm: Any = load(setup, options)
        self._engine: Any = self._llm.llm_engine
        self.options = options
        _open.add(id(self))
        if not options.plain:
            self.switch(options)

    def switch(self, options: Options) -> None:
        """Attend by other options from the next request on.

        Raises:
            ConfigError: the model's layers are not ours.
        """
        self._llm.apply_model(lambda model: check.switch(model, options))
        self.options = options

    @property
    def counts(self) -> Counts:
        """What the attention did since it was last switched."""
        [counted] = self._llm.apply_model(check.counts)
        return counted if isinstance(counted, Counts) else Counts()

    @property
    def refused(self) -> str:
        """Why our kernel serves some layers not; empty where it serves all."""
        [layers] = self._llm.apply_model(check.layers)
        return "; ".join(sorted({layer.refused for layer in layers if layer.refused}))

    def write(self, writings: Mapping[int, Writing], cached: bool = True) -> dict[int, int]:
        """Write all answers to their end, prompts that begin alike one after the other.

        Args:
            writings: what is to be written; grows here.
            cached: whether kept keys and values may be reused.

        Returns:
            of each prompt how many tokens were kept and not computed.
        """
        order = sorted(writings, key=lambda i: writings[i].prompt.astype(">i4").tobytes())
        asked = [
            (i, writings[i].prompt, params.generating(writings[i].sampling, writings[i].ends, cached)) for i in order
        ]
        kept: dict[int, int] = {}
        for i, output in self._outputs(asked):
            kept.setdefault(i, output.num_cached_tokens or 0)
            if not _taken(writings[i], output):
                self._engine.abort_request([output.request_id])
        return kept

    def score(self, scorings: Sequence[Scoring]) -> list[NDArray[np.float64]]:
        """The log-probabilities that each request wants, from one reading of its text.

        Keys and values that are kept are used as far as they end before the first token wanted. Where they go further,
        as in a text that was scored before, it is read again without them.
        """
        found: dict[int, NDArray[np.float64]] = {}
        todo = list(range(len(scorings)))
        for cached in (True, False):
            hows = [params.scoring(cached and not scorings[i].whole) for i in todo]
            asked = [(i, scorings[i].given().tokens, how) for i, how in zip(todo, hows, strict=True)]
            for i, output in self._outputs(asked):
                if (output.num_cached_tokens or 0) < scorings[i].size - scorings[i].wanted:
                    found[i] = _logprobs(output, scorings[i].wanted)
            todo = [i for i in todo if i not in found]
        return [found[i] for i in range(len(scorings))]

    def close(self) -> None:
        """Release weights, keys and values, and with the last engine what all of this process share."""
        client = self._engine.engine_core
        _open.discard(id(self))
        if _open:
            _released(client)
        else:
            client.shutdown()
        del self._llm, self._engine, client
        gc.collect()

    def _outputs(self, asked: Sequence[tuple[int, NDArray[np.int32], Any]]) -> Iterator[tuple[int, Any]]:
        """What the engine says of each request as it goes; whatever is left is dropped when nobody listens any more.

        Prompts go in sorted, so that those that begin alike are neighbours, and a beginning is computed once.
        """
        ordered = sorted(asked, key=lambda each: each[1].astype(">i4").tobytes())
        names = {f"{next(self._numbers)}": i for i, _, _ in ordered}
        try:
            for name, (_, tokens, how) in zip(names, ordered, strict=True):
                self._engine.add_request(name, params.prompt(tokens, self.options.fingerprint), how)
            while self._engine.has_unfinished_requests():
                for output in self._engine.step():
                    yield names[output.request_id], output
        finally:
            self._engine.abort_request(list(names))


def _released(client: Any) -> None:  # noqa: ANN401 - vLLM's own type
    """What vLLM's own shutdown does, but for the process groups: it would take them from the other engines too."""
    client._finalizer.detach()
    core = client.engine_core
    core.structured_output_manager.clear_backend()
    core.model_executor.shutdown()
    core.scheduler.shutdown()


def _taken(writing: Writing, output: Any) -> bool:  # noqa: ANN401 - vLLM's own type
    """Give an answer its new tokens; whether it goes on."""
    [completion] = output.outputs
    logprobs = [0.0] * len(completion.token_ids)
    if completion.logprobs is not None:
        logprobs = [each[token].logprob for each, token in zip(completion.logprobs, completion.token_ids, strict=True)]
    pairs = zip(completion.token_ids, logprobs, strict=True)
    return all(writing.take(token, logprob) for token, logprob in pairs)


def _logprobs(output: Any, wanted: int) -> NDArray[np.float64]:  # noqa: ANN401
    """Of the text's last tokens, so many as are wanted."""
    told = output.prompt_logprobs
    expected = output.prompt_token_ids[-wanted:]
    if told.token_ids[-wanted:] != expected:
        raise ConfigError("vLLM told log-probabilities of other tokens than were asked: use vLLM 0.32")
    return np.asarray(told.logprobs[-wanted:], np.float64)
