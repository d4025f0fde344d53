"""`replying`: a reader whose reply is a function of the request, for strategies that ask in many ways.

What a sensible model would reply is kept a file a strategy, in `sensible/`: `REPLIES`, from a request's purpose to a
function of the request. `replying(window=..., budget=..., calls=...)` makes a reader that fails the test where a
request might exceed one of them; `says` takes the place of some of the replies, or with one function of all of them.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

from ragctx.models import ModelFacts, Models
from ragctx.readers.scripted import Scripted as Beside
from ragctx.types import Answer, Question
from ragctx.work import Completion, Failure, Generate, Message, Reply, Request, run

Says = Callable[[Generate], str | Failure]
BESIDE = ("encoder", "ranker", "scorer")


@dataclass(frozen=True)
class Pieces:
    """A token is a piece of a word, up to three digits or a mark; a message costs three more."""

    pattern: str = r"[^\W\d_]{1,6}|\d{1,3}|[^\w\s]|_"
    exact = True

    @property
    def name(self) -> str:
        return f"pieces {self.pattern}"

    def count(self, text: str) -> int:
        return len(re.findall(self.pattern, text))

    def render(self, messages: Sequence[Message]) -> int:
        return 3 + sum(3 + self.count(message.content) for message in messages)

    def first(self, text: str, tokens: int) -> str:
        """As much of a text as so many tokens hold."""
        found = list(re.finditer(self.pattern, text))
        return text if len(found) <= tokens else text[: found[tokens].start()] if tokens else ""


@dataclass
class Replying:
    """See the module. Encoder, ranker and scorer stand beside it where `beside` names them."""

    sensible: Mapping[str, Says]
    says: Mapping[str, Says | str] | Says | None = None
    window: int | None = None
    budget: int | None = None
    calls: int | None = None
    beside: tuple[str, ...] = ("encoder",)
    counter: Pieces = field(default_factory=Pieces)
    roles: Mapping[str, int | None] = field(default_factory=dict)
    requests: list[Generate] = field(default_factory=list)
    batches: list[list[Generate]] = field(default_factory=list)
    prompt_tokens: int = 0
    output_tokens: int = 0
    others: Beside = field(default_factory=Beside)

    @property
    def models(self) -> Models:
        """The facts; `roles` names further writers with windows of their own."""
        writers = {role: ModelFacts(role, counter=self.counter, window=window) for role, window in self.roles.items()}
        reader = ModelFacts("reader", counter=self.counter, window=self.window)
        return Models({"reader": reader, **writers, **{role: self.others.facts for role in self.beside}})

    def __call__(self, requests: Sequence[Request]) -> list[Reply]:
        writing = [request for request in requests if isinstance(request, Generate)]
        if writing:
            self.batches.append(writing)
        return [self._written(r) if isinstance(r, Generate) else self._beside(r) for r in requests]

    def _preparing(self, requests: Sequence[Request]) -> list[Reply]:
        return [self._counted(r)[0] if isinstance(r, Generate) else self._beside(r) for r in requests]

    def _beside(self, request: Request) -> Reply:
        assert request.role in self.beside, f"nobody was named {request.role}"  # type: ignore[union-attr]
        [reply] = self.others.serve([request], lambda number, text: None)
        return reply

    def _written(self, request: Generate) -> Reply:
        self.requests.append(request)
        prompt, most = self.counter.render(request.messages), request.sampling.max_tokens
        window = self.roles.get(request.role, self.window)
        assert window is None or prompt + most <= window, f"{request.purpose}: {prompt} + {most} over the window"
        spent = self.prompt_tokens + self.output_tokens
        assert self.budget is None or spent + prompt + most <= self.budget, f"{request.purpose}: over the budget"
        assert self.calls is None or len(self.requests) <= self.calls, f"{request.purpose}: too many calls"
        said, output = self._counted(request)
        if isinstance(said, Completion):
            self.prompt_tokens += prompt
            self.output_tokens += output
        return said

    def _counted(self, request: Generate) -> tuple[Completion | Failure, int]:
        """What is said, within what may be, and how long it is."""
        said = self._said(request)
        if isinstance(said, Failure):
            return said, 0
        for stop in request.sampling.stop:
            said = said.partition(stop)[0]
        text = self.counter.first(said, request.sampling.max_tokens)
        output, prompt = self.counter.count(text), self.counter.render(request.messages)
        return Completion(text, prompt, output, finish="length" if text != said else "stop"), output

    def _said(self, request: Generate) -> str | Failure:
        if callable(self.says):
            return self.says(request)
        says = {**self.sensible, **(self.says or {})}
        assert request.purpose in says, f"tests/agents/sensible says nothing to {request.purpose!r}"
        told = says[request.purpose]
        return told(request) if callable(told) else told

    def answer(self, strategy: object, question: Question | str, corpus: object) -> Answer:
        """What a strategy answers; what is paid once for a corpus is no part of the question's bill."""
        asked = Question(question) if isinstance(question, str) else question
        if (prepare := getattr(strategy, "prepare", None)) is not None:
            run(prepare(corpus, self.models), self._preparing)
        return run(strategy.read(asked, corpus, self.models), self)  # type: ignore[attr-defined]

    def asked(self, purpose: str) -> list[Generate]:
        """The requests of one purpose."""
        return [request for request in self.requests if request.purpose == purpose]


def _sensible() -> dict[str, Says]:
    """What all files in `sensible/` say."""
    found: dict[str, Says] = {}
    for file in sorted((Path(__file__).parent / "sensible").glob("*.py")):
        replies = _module(file).REPLIES
        twice = set(found) & set(replies)
        assert not twice, f"{file.name} says again what others do: {sorted(twice)}"
        found |= replies
    return found


def _module(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"sensible_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def sensible() -> dict[str, Says]:
    """From purpose to reply, of a sensible model."""
    return _sensible()


@pytest.fixture
def replying(sensible: dict[str, Says]) -> Callable[..., Replying]:
    """Makes a reader: see the module."""
    return lambda **options: Replying(sensible, **options)
