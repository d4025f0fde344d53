"""From what an OpenAI-compatible server sends to a `Completion`, whole or piece by piece, tolerating null fields."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from ragctx.models import Counter
from ragctx.readers.openai_errors import malformed
from ragctx.work import Completion, Failure, Generate, Reply

_FINISH = {"length": "length", "content_filter": "filter", "tool_calls": "tool", "function_call": "tool"}


@dataclass(slots=True)
class Received:
    """What has come so far of one answer."""

    text: list[str] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish: str = ""
    usage: Any = None

    def whole(self, response: Any) -> Received:  # noqa: ANN401 - servers send what they like
        """Take a response that came in one piece."""
        choice = response.choices[0]
        self._add(choice.message.content, choice)
        self.usage = response.usage
        return self

    async def stream(self, chunks: AsyncIterator[Any], show: Callable[[str], None]) -> Received:
        """Take a response as it comes; `show` is told each piece of text."""
        async for chunk in chunks:
            self.usage = getattr(chunk, "usage", None) or self.usage
            for choice in (chunk.choices or [])[:1]:
                piece = getattr(choice.delta, "content", None)
                self._add(piece, choice)
                if piece:
                    show(piece)
        return self

    def reply(self, request: Generate, counter: Counter, endpoint: str, seconds: float) -> Reply:
        """The completion; tokens are estimated, and marked so, where the server did not send them."""
        text = "".join(self.text)
        if not self.finish:
            return malformed(endpoint, "the answer ended without a finish reason")
        if not text.strip() and not request.sampling.ignore_end and request.sampling.max_tokens:
            return self._nothing(endpoint)
        prompt, output = _number(self.usage, "prompt_tokens"), _number(self.usage, "completion_tokens")
        details = getattr(self.usage, "prompt_tokens_details", None)
        return Completion(
            text=text,
            prompt_tokens=counter.render(request.messages) if prompt is None else prompt,
            output_tokens=counter.count(text) if output is None else output,
            cached_tokens=_number(details, "cached_tokens") or 0,
            logprobs=tuple(self.logprobs),
            finish=_FINISH.get(self.finish, "stop"),
            seconds=seconds,
            exact=prompt is not None and output is not None,
        )

    def _nothing(self, endpoint: str) -> Failure:
        """The answer has no text; what was read and written is billed all the same."""
        prompt, output = _number(self.usage, "prompt_tokens") or 0, _number(self.usage, "completion_tokens") or 0
        if self.finish == "content_filter":
            told = f"{endpoint}: the content filter withheld the whole answer; ask in other words, or use another model"
            return Failure("bad_request", told, prompt_tokens=prompt, output_tokens=output)
        why = ", and called a tool that nobody offered" if _FINISH.get(self.finish) == "tool" else ""
        told = f"{endpoint} sent an empty answer{why}: it is tried again; look at the model's template"
        return Failure("empty", told, prompt_tokens=prompt, output_tokens=output)

    def _add(self, text: str | None, choice: Any) -> None:  # noqa: ANN401
        if text:
            self.text.append(text)
        content = getattr(getattr(choice, "logprobs", None), "content", None) or ()
        self.logprobs += [float(entry.logprob) for entry in content]
        self.finish = getattr(choice, "finish_reason", None) or self.finish


def _number(holder: object, name: str) -> int | None:
    value = getattr(holder, name, None)
    return value if isinstance(value, int) and value >= 0 else None
