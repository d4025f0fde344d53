"""Models behind an OpenAI-compatible endpoint: vLLM, llama.cpp's server, OpenAI itself and many more."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragctx.errors import ConfigError
from ragctx.models import Counter, EstimatedCounter, ModelFacts
from ragctx.readers.openai_errors import failure, malformed, public
from ragctx.readers.openai_reply import Received
from ragctx.readers.strict_schema import strict
from ragctx.types import Prices
from ragctx.work import Failure, Generate, Reply, Request

if TYPE_CHECKING:
    from openai import AsyncOpenAI

log = logging.getLogger(__name__)
DEFAULT_URL = "https://api.openai.com/v1"
_CEILING = {DEFAULT_URL: "max_completion_tokens"}  # what it calls the output ceiling; everybody else kept the old name
# What a request may do without; a model is asked as well as it can be without them.
_OPTIONAL = ("logprobs", "max_completion_tokens", "max_tokens", "response_format", "seed", "stop", "stream_options",
             "temperature", "top_p")  # fmt: skip


class OpenAIReader:
    """One model behind one endpoint; a `RemoteBackend`.

    The window is asked from `/models` once, when the reader is opened, with a short time limit. An endpoint that cannot
    be reached then does not stop a plan: the window stays unknown, `note` says so, and the first request fails with
    what to do. Requests are never retried here; the engine does that.

    Args:
        name: `MODEL@BASE_URL`; without an address, OPENAI_BASE_URL or OpenAI's own.
        api_key: OPENAI_API_KEY when not given; local servers need none. It is never shown.
        timeout: seconds for one whole call. connect: seconds for the questions asked when opening.
        concurrency: calls in flight at most.
        window: tokens of prompt and output together, where the server does not say.
        tokenizer: folder with the model's `tokenizer.json` and chat template, for exact counts.
        prices: per million tokens.
        omit: parameters never sent, such as "temperature" where a model refuses it; a text names several with commas.

    Raises:
        ConfigError: the name has no model, the address is none, or `omit` names what is never sent anyway.

    Example:
        >>> reader = OpenAIReader("qwen3-8b@http://127.0.0.1:9/v1", window=32_768, connect=0.2)
        >>> reader.facts.name, reader.facts.window, reader.facts.counter.exact
        ('openai:qwen3-8b@http://127.0.0.1:9/v1', 32768, False)
    """

    def __init__(
        self,
        name: str,
        *,
        api_key: str = "",
        timeout: float = 120.0,
        connect: float = 3.0,
        concurrency: int = 32,
        window: int | None = None,
        tokenizer: str | Path | None = None,
        prices: Prices | None = None,
        omit: str | Iterable[str] = (),
    ) -> None:
        self.model, self._url = _split(name)
        self.endpoint = public(self._url)
        self.concurrency, self.note = concurrency, ""
        self._key = api_key or os.environ.get("OPENAI_API_KEY", "")
        self._timeout, self._omit = timeout, _omitted(omit)
        self._client: AsyncOpenAI | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.facts = ModelFacts(
            name=f"openai:{self.model}@{self.endpoint}",
            counter=_counter(tokenizer),
            window=window or self._ask_window(connect),
            prices=prices,
            identity=f"openai:{self.model}@{self.endpoint}",
        )

    def __repr__(self) -> str:
        return f"OpenAIReader({self.model!r} at {self.endpoint})"

    async def call(self, request: Request, emit: Callable[[str], None]) -> Reply:
        """One reply; what the endpoint does wrong comes back as a `Failure`."""
        if not isinstance(request, Generate):
            return Failure("bad_request", f"{self.facts.name} answers no {type(request).__name__}: name another model")
        import openai

        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout):  # the client's own limit is for each read, not for the call
                received = await self._receive(request, emit)
        except TimeoutError:
            return Failure("timeout", f"{self.endpoint} took over {self._timeout:g} s: raise the timeout or read less")
        except (AttributeError, IndexError, KeyError, TypeError):  # JSON, but not that of a chat completion
            return malformed(self.endpoint, "what came back is not a chat completion")
        except (openai.OpenAIError, ValueError) as error:
            return failure(error, self.endpoint, self._key)
        except Exception as error:  # the client lets transport errors of a stream through as they are
            if type(error).__module__.partition(".")[0] not in {"httpx", "httpx2", "httpcore", "httpcore2"}:
                raise
            return malformed(self.endpoint, f"the connection broke while answering ({type(error).__name__})")
        return received.reply(request, self.facts.counter, self.endpoint, time.perf_counter() - started)

    async def close(self) -> None:
        """Close connections, if the loop they belong to still runs."""
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
            await client.close()

    async def _receive(self, request: Generate, emit: Callable[[str], None]) -> Received:
        completions: Any = self._of_this_loop().chat.completions
        arguments = self._arguments(request)
        if not request.final:
            return Received().whole(await completions.create(**arguments))
        usage = {} if "stream_options" in self._omit else {"stream_options": {"include_usage": True}}
        async with await completions.create(**arguments, stream=True, **usage) as stream:
            return await Received().stream(stream, emit)

    def _arguments(self, request: Generate) -> dict[str, Any]:
        sampling = request.sampling
        arguments: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            _CEILING.get(self.endpoint, "max_tokens"): sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed + sampling.sample,
        }
        if sampling.stop:
            arguments["stop"] = list(sampling.stop)
        if sampling.logprobs:
            arguments["logprobs"] = True
        if sampling.ignore_end:
            arguments["extra_body"] = {"ignore_eos": True}
        if request.schema:
            arguments["response_format"] = {"type": "json_schema", "json_schema": _wanted(json.loads(request.schema))}
        return {name: value for name, value in arguments.items() if name not in self._omit}

    def _of_this_loop(self) -> AsyncOpenAI:
        """Connections belong to the event loop they were made in; a new loop gets a new client."""
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            from openai import AsyncOpenAI

            self._client, self._loop = (
                AsyncOpenAI(api_key=self._key or "none", base_url=self._url, max_retries=0, timeout=self._timeout),
                loop,
            )
        return self._client

    def _ask_window(self, seconds: float) -> int | None:
        import openai

        try:
            with openai.OpenAI(
                api_key=self._key or "none", base_url=self._url, max_retries=0, timeout=seconds
            ) as client:
                models = list(client.models.list())
        except (openai.OpenAIError, ValueError, TypeError, AttributeError) as error:
            self.note = f"{self.endpoint} did not tell the model's window ({type(error).__name__}): give window=TOKENS"
            log.info("%s", self.note)
            return None
        told = next((getattr(m, "max_model_len", None) for m in models if getattr(m, "id", "") == self.model), None)
        if not isinstance(told, int):
            self.note = f"{self.endpoint} does not tell the window of {self.model}: give window=TOKENS"
            return None
        return told


def _split(name: str) -> tuple[str, str]:
    at = max(name.find("@http://"), name.find("@https://"))
    model, url = (name[:at], name[at + 1 :]) if at >= 0 else (name, os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL)
    if not model or "@" in model or not url.startswith(("http://", "https://")):
        raise ConfigError(f"{name!r} names no model: write openai:MODEL@http://HOST:PORT/v1")
    return model, url


def _wanted(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema to follow, to the letter where it has a form that endpoints can enforce."""
    exact = strict(schema)
    return {"name": "answer", "schema": schema if exact is None else exact, "strict": exact is not None}


def _omitted(names: str | Iterable[str]) -> frozenset[str]:
    found = frozenset(n.strip() for n in (names.split(",") if isinstance(names, str) else names) if n.strip())
    if unknown := sorted(found - set(_OPTIONAL)):
        raise ConfigError(f"omit names {', '.join(unknown)}: leave out any of {', '.join(_OPTIONAL)}")
    return found


def _counter(tokenizer: str | Path | None) -> Counter:
    if tokenizer is None:
        return EstimatedCounter()
    from ragctx.readers.local_counter import TokenizerCounter

    return TokenizerCounter(Path(tokenizer).expanduser())


open_reader = OpenAIReader  # what the entry point `openai` names
