"""Any LangChain chat model as a reader: whatever LangChain reaches, ragctx can read with."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ragctx.errors import ConfigError, MissingExtra
from ragctx.models import Counter, EstimatedCounter, ModelFacts
from ragctx.types import Prices
from ragctx.work import Completion, Failure, Generate, Reply, Request, Sampling

_REFUSED = re.compile(r"max_(?:completion_)?tokens")
log = logging.getLogger(__name__)
_FINISH = {"length": "length", "max_tokens": "length", "content_filter": "filter", "tool_calls": "tool"}


class LangChainReader:
    """A LangChain chat model; a `RemoteBackend`.

    Models without an asynchronous call run in a thread, as LangChain arranges it. Token counts are the model's own
    where it reports usage, and estimates marked as such where it does not. Sampling beyond `stop` belongs to the model,
    except for what `passes` names. `Generate.schema` does not bind it: the schema has to be in the prompt.

    Args:
        model: a `BaseChatModel`.
        name: shown in plans; made from the class and its model name when not given.
        timeout: seconds for one whole call. concurrency: calls in flight at most.
        window: tokens of prompt and output together; unknown when not given.
        counter: counts tokens; an estimate when not given. prices: per million tokens.
        passes: which of "temperature", "max_tokens", "top_p", "seed" to give the model with every call. By default
            "max_tokens" where the model has that setting: without it an answer may be longer than a budget allows.
            A model that refuses it is asked again without, once and for all, and `note` says so.

    Raises:
        MissingExtra: langchain-core is not installed. ConfigError: the object is no chat model.
    """

    def __init__(
        self,
        model: object,
        *,
        name: str = "",
        timeout: float = 120.0,
        concurrency: int = 16,
        window: int | None = None,
        counter: Counter | None = None,
        prices: Prices | None = None,
        passes: tuple[str, ...] | None = None,
    ) -> None:
        try:
            from langchain_core.language_models.chat_models import BaseChatModel
        except ImportError as missing:
            raise MissingExtra("a LangChain model", "langchain", "langchain-core") from missing
        if not isinstance(model, BaseChatModel):
            raise ConfigError(f"{type(model).__name__} is no LangChain chat model: give a BaseChatModel")
        self._model: Any = model
        self._timeout, self.note = timeout, ""
        self._own_ceiling = _ceiling(model)
        self._passes = (("max_tokens",) if _limitable(model) else ()) if passes is None else passes
        self._may_drop = passes is None
        self.concurrency = concurrency
        called = name or _called(model)
        self.facts = ModelFacts(
            name=f"langchain:{called}",
            counter=counter or EstimatedCounter(),
            window=window,
            prices=prices,
            identity=f"langchain:{called}:{_settings(model)}",
        )

    def __repr__(self) -> str:
        return f"LangChainReader({self.facts.name})"  # never the model's own repr: it may hold a key

    async def call(self, request: Request, emit: Callable[[str], None]) -> Reply:
        """One reply; what the model raises comes back as a `Failure`."""
        if not isinstance(request, Generate):
            return Failure("bad_request", f"{self.facts.name} answers no {type(request).__name__}: name another model")
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout):
                message = await self._message(request, emit)
        except TimeoutError:
            return Failure("timeout", f"{self.facts.name} took over {self._timeout:g} s: raise timeout or read less")
        except Exception as error:  # noqa: BLE001 - providers raise their own classes; the contract is a Failure
            return _failure(self.facts.name, error)
        return self._reply(request, message, time.perf_counter() - started)

    async def close(self) -> None:
        """Nothing to close: the model object is its owner's."""

    async def _message(self, request: Generate, emit: Callable[[str], None]) -> Any:  # noqa: ANN401
        ask = partial(self._streamed, request, emit) if request.final else partial(self._whole, request)
        try:
            return await ask()
        except Exception as error:
            if not self._drops(error):
                raise
        return await ask()

    def _drops(self, error: Exception) -> bool:
        """Whether the model refused the ceiling that nobody told it to take; it is not given again."""
        refused = self._may_drop and bool(self._passes) and _REFUSED.search(str(error)) is not None
        if refused:
            self._passes = ()
            self.note = f"{self.facts.name} refuses max_tokens: its answers may be longer than a budget allows"
            log.warning("%s", self.note)
        return refused

    async def _whole(self, request: Generate) -> Any:  # noqa: ANN401 - a LangChain message
        return await self._model.ainvoke(_messages(request), **self._arguments(request.sampling))

    async def _streamed(self, request: Generate, emit: Callable[[str], None]) -> Any:  # noqa: ANN401
        message: Any = None
        async for chunk in self._model.astream(_messages(request), **self._arguments(request.sampling)):
            message = chunk if message is None else message + chunk
            if piece := _text(chunk):
                emit(piece)
        return message

    def _arguments(self, sampling: Sampling) -> dict[str, Any]:
        given: dict[str, Any] = {name: getattr(sampling, name) for name in self._passes}
        if "max_tokens" in given and self._own_ceiling is not None:
            given["max_tokens"] = min(given["max_tokens"], self._own_ceiling)
        return given | ({"stop": list(sampling.stop)} if sampling.stop else {})

    def _reply(self, request: Generate, message: Any, seconds: float) -> Reply:  # noqa: ANN401
        text = _text(message)
        usage: Mapping[str, Any] | None = getattr(message, "usage_metadata", None)
        counter = self.facts.counter
        if usage is None:
            prompt, output, cached = counter.render(request.messages), counter.count(text), 0
        else:
            prompt, output = usage["input_tokens"], usage["output_tokens"]
            cached = (usage.get("input_token_details") or {}).get("cache_read") or 0
        if not text.strip():  # it is billed all the same
            told = f"{self.facts.name} sent an empty answer: look at the model's log"
            return Failure("empty", told, prompt_tokens=prompt, output_tokens=output)
        said = getattr(message, "response_metadata", None) or {}
        finish = _FINISH.get(str(said.get("finish_reason") or said.get("stop_reason") or ""), "stop")
        return Completion(text, prompt, output, cached, (), finish, seconds, exact=usage is not None)


def _called(model: object) -> str:
    own = next((str(v) for n in ("model_name", "model") if isinstance(v := getattr(model, n, None), str) and v), "")
    return f"{type(model).__name__}/{own}" if own else type(model).__name__


def _limitable(model: Any) -> bool:  # noqa: ANN401 - a BaseChatModel
    """Whether the model has a setting for the ceiling under that name; calls take it in place of the setting."""
    return any(name == "max_tokens" or field.alias == "max_tokens" for name, field in type(model).model_fields.items())


def _ceiling(model: object) -> int | None:
    """The ceiling that the model's owner set."""
    own = getattr(model, "max_tokens", None)
    return own if isinstance(own, int) and own > 0 else None


def _settings(model: Any) -> str:  # noqa: ANN401 - a BaseChatModel
    """Digest of the settings LangChain itself tells calls apart by; secrets are not among them."""
    stated = json.dumps(model._identifying_params, sort_keys=True, default=lambda value: type(value).__name__)
    return hashlib.sha256(stated.encode()).hexdigest()[:12]


def _messages(request: Generate) -> list[tuple[str, str]]:
    names = {"system": "system", "user": "human", "assistant": "ai"}
    return [(names[message.role], message.content) for message in request.messages]


def _text(message: Any) -> str:  # noqa: ANN401 - a LangChain message
    content = getattr(message, "content", "")
    if isinstance(content, str):
        return content
    return "".join(part if isinstance(part, str) else str(part.get("text") or "") for part in content)


def _failure(name: str, error: Exception) -> Failure:
    """Providers' classes differ; status codes and class names are what they have in common."""
    status = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
    label = type(error).__name__
    message = f"{name} raised {label}"
    if status == 429 or "RateLimit" in label:
        return Failure("rate_limit", f"{message}: it is tried again after a pause")
    if status in {401, 403} or "Authentication" in label or "Permission" in label:
        return Failure("unauthorised", f"{message}: give the model a key its provider accepts")
    if "Timeout" in label:
        return Failure("timeout", f"{message}: see whether the provider is busy, or raise the timeout")
    if "Connect" in label:
        return Failure("refused", f"{message}: see whether the provider can be reached")
    if isinstance(status, int) and 400 <= status < 500:
        return Failure("bad_request", f"{message} (status {status}): look at the provider's log")
    return Failure("server", f"{message}: look at the model's log; it is tried again")
