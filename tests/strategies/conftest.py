"""A reader that answers by script, with a counter that is exact by construction."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from ragctx.models import ModelFacts, Models
from ragctx.types import Answer, Question
from ragctx.work import Completion, Failure, Generate, Message, Reply, Request, run


class Exact:
    """A token is a word or a mark; a message costs three more."""

    name = "words-and-marks"
    exact = True

    def count(self, text: str) -> int:
        return len(re.findall(r"\w+|[^\w\s]", text))

    def render(self, messages: Sequence[Message]) -> int:
        return 3 + sum(3 + self.count(message.content) for message in messages)


@dataclass
class Scripted:
    """Says its lines one after the other, the last one for ever."""

    lines: Sequence[str | Failure] = ("Three months [1].",)
    window: int | None = None
    logprobs: tuple[float, ...] = ()
    finish: str = "stop"
    requests: list[Generate] = field(default_factory=list)
    counter: Exact = field(default_factory=Exact)

    @property
    def models(self) -> Models:
        return Models({"reader": ModelFacts("reader", counter=self.counter, window=self.window)})

    def __call__(self, requests: Sequence[Request]) -> list[Reply]:
        return [self._reply(request) for request in requests]

    def _reply(self, request: Request) -> Reply:
        assert isinstance(request, Generate)
        says = self.lines[min(len(self.requests), len(self.lines) - 1)]
        self.requests.append(request)
        if isinstance(says, Failure):
            return says
        return Completion(
            says, self.counter.render(request.messages), self.counter.count(says),
            logprobs=self.logprobs, finish=self.finish,
        )  # fmt: skip

    def answer(self, strategy: object, question: Question | str, corpus: object) -> Answer:
        asked = Question(question) if isinstance(question, str) else question
        return run(strategy.read(asked, corpus, self.models), self)  # type: ignore[attr-defined]

    @property
    def prompt(self) -> str:
        """The last user message sent."""
        return self.requests[-1].messages[-1].content


@pytest.fixture
def scripted() -> Callable[..., Scripted]:
    return Scripted
