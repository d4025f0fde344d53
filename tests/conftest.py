"""Every test runs with its own cache folder, without a hub, and on one thread a process.

`scripted` is a reader that answers by script, with a counter that is exact by construction, for work that is run alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ragctx.contracts import BatchBackend
from ragctx.models import ModelFacts, Models
from ragctx.types import Answer, Question
from ragctx.work import Completion, Failure, Generate, Message, Reply, Request, Rerank, Score, run

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the user's cache folder or settings."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("RAGCTX_CACHE", str(folder))
    for name in [n for n in os.environ if n.startswith("RAGCTX_") and n not in {"RAGCTX_CACHE", "RAGCTX_BENCH_DATA"}]:
        monkeypatch.delenv(name)
    return folder


@dataclass(frozen=True)
class Exact:
    """A token is a match of the pattern, by default a word or a mark; a message costs three more."""

    pattern: str = r"\w+|[^\w\s]"
    exact = True

    @property
    def name(self) -> str:
        return f"matches of {self.pattern}"

    def count(self, text: str) -> int:
        return len(re.findall(self.pattern, text))

    def render(self, messages: Sequence[Message]) -> int:
        return 3 + sum(3 + self.count(message.content) for message in messages)


@dataclass
class Scripted:
    """Says its lines one after the other, the last one for ever, and keeps the bill.

    A request that might exceed the window or the budget is a failed test. What is asked of a ranker or a scorer goes
    to `ranker` or `scorer`, where one is given; those requests and what they billed are kept apart.
    """

    lines: Sequence[str | Failure] = ("Three months [1].",)
    window: int | None = None
    budget: int | None = None
    logprobs: tuple[float, ...] = ()
    finish: str = "stop"
    counter: Exact = field(default_factory=Exact)
    requests: list[Generate] = field(default_factory=list)
    prompt_tokens: int = 0
    output_tokens: int = 0
    ranker: BatchBackend | None = None
    ranked: list[Rerank] = field(default_factory=list)
    ranked_tokens: int = 0
    scorer: BatchBackend | None = None
    scored: list[Score] = field(default_factory=list)
    scored_tokens: int = 0

    @property
    def models(self) -> Models:
        beside = {"ranker": self.ranker, "scorer": self.scorer}
        roles = {role: model.facts for role, model in beside.items() if model is not None}
        return Models({"reader": ModelFacts("reader", counter=self.counter, window=self.window), **roles})

    def __call__(self, requests: Sequence[Request]) -> list[Reply]:
        return [self._beside(r) if isinstance(r, Rerank | Score) else self._reply(r) for r in requests]

    def _beside(self, request: Rerank | Score) -> Reply:
        return self._rank(request) if isinstance(request, Rerank) else self._score(request)

    def _score(self, request: Score) -> Reply:
        assert self.scorer is not None, "nobody was named to score"
        self.scored.append(request)
        [reply] = self.scorer.serve([request], lambda number, text: None)
        self.scored_tokens += getattr(reply, "prompt_tokens", 0)
        return reply

    def _rank(self, request: Rerank) -> Reply:
        assert self.ranker is not None, "nobody was named to rank"
        self.ranked.append(request)
        [reply] = self.ranker.serve([request], lambda number, text: None)
        self.ranked_tokens += getattr(reply, "tokens", 0)
        return reply

    def _reply(self, request: Request) -> Reply:
        assert isinstance(request, Generate)
        says = self.lines[min(len(self.requests), len(self.lines) - 1)]
        self.requests.append(request)
        prompt = self.counter.render(request.messages)
        most = prompt + request.sampling.max_tokens
        assert self.window is None or most <= self.window, "a request over the window"
        assert self.budget is None or self.prompt_tokens + self.output_tokens + most <= self.budget, "over the budget"
        if isinstance(says, Failure):
            return says
        output = self.counter.count(says)
        self.prompt_tokens += prompt
        self.output_tokens += output
        return Completion(says, prompt, output, logprobs=self.logprobs, finish=self.finish)

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


@pytest.fixture
def exact() -> type[Exact]:
    return Exact
