"""Models that say what a script tells them: for tests of ragctx, and for your own tests of what you build on it.

    reader = Scripted([
        Rule("notice period", "Three months. [1]"),
        Rule(re.compile(r"(?i)who signed"), lambda request: "Ada Moss."),
        Rule("flaky", "Here.", failures=2),                            # two server errors, then the reply
        Rule("forbidden", Failure("unauthorised", "no such key")),     # always fails
        Rule("slow", "At last.", delay=0.5),
    ], default="It does not say.")

The same in a file, as `scripted:script.toml`:

    default = "It does not say."
    window = 8192
    [prices]
    prompt = 0.1
    output = 0.4
    [[rule]]
    match = "notice period"        # or: regex = '(?i)notice'
    reply = "Three months. [1]"
    [[rule]]
    match = "flaky"
    reply = "Here."
    failures = 2
    failure = {kind = "rate_limit", message = "slow down", retry_after = 0.01}

Replies are stored under what the script says: a changed script is another model. Those of a script with functions
belong to the one object that they were made for.

Everything is deterministic and offline: tokens are words and punctuation marks, counted exactly; `Score` draws
log-probabilities from hashes and expects what stood earlier, `Embed` hashes words into unit vectors, `Rerank` counts
the query's words in a text and in each of its units, and points out what a matching rule replies where that stands in
the text.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragctx.errors import ConfigError
from ragctx.models import ModelFacts
from ragctx.readers.script import Rule, Saying, Script, WordCounter, echo, read_script
from ragctx.readers.scripted_numbers import embedded, ranked, score
from ragctx.types import Prices, Speed
from ragctx.work import (
    Completion,
    Embed,
    Failure,
    Generate,
    Reply,
    Request,
    Rerank,
    Score,
    Vectors,
)

if TYPE_CHECKING:
    from ragctx.contracts import Backend

__all__ = ["Rule", "Scripted", "ScriptedRemote", "WordCounter", "open_reader"]

FACTS = frozenset({"window", "prices", "speed", "dimensions", "record"})
_PIECE = re.compile(r"\s*\S+\s*")


class _Actor:
    """What both styles share: facts, a record of calls, and one request's reply.

    Attributes:
        script: what to say.
        calls: every list of requests served so far, if `record`; a remote call is a list of one.
        frozen: what a job keeps of it: its name alone, so that a job goes on with a script that was mended. Replies of
            the script as it was are not replayed.
    """

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        *,
        default: Saying = echo,
        name: str = "scripted",
        window: int | None = None,
        prices: Prices | None = None,
        speed: Speed | None = None,
        dimensions: int = 64,
        record: bool = True,
    ) -> None:
        self.script, self.frozen = Script(tuple(rules), default), name
        self.calls: list[tuple[Request, ...]] = []
        self._dimensions, self._record, self._lock = dimensions, record, threading.Lock()
        kinds = frozenset({"Generate", "Score", "Embed", "Rerank", "Prune", "Extract"})
        identity = f"{name}:{self.script.identity()}"
        self._facts = ModelFacts(name, WordCounter(), window, prices, speed, identity, kinds)

    @property
    def facts(self) -> ModelFacts:
        """Its facts; the counter is exact."""
        return self._facts

    def _note(self, *requests: Request) -> None:
        if self._record:
            with self._lock:
                self.calls.append(requests)

    def _delay(self, request: Request) -> float:
        return self.script.rule(request).delay if isinstance(request, Generate) else 0.0

    def _reply(self, request: Request) -> Reply:
        match request:
            case Generate():
                return self._generated(request)
            case Score():
                return self._scored(request)
            case Embed():
                rows = embedded(request.texts, self._dimensions)
                return Vectors(rows, tokens=sum(map(WordCounter().count, request.texts)))
            case Rerank():
                return ranked(request, self.script.said(request.query))

    def _scored(self, request: Score) -> Reply:
        scores, window = score(request), self._facts.window
        if window is not None and scores.prompt_tokens > window:
            return Failure("too_long", _long(scores.prompt_tokens, window))
        return scores

    def _generated(self, request: Generate) -> Reply:
        needs, window = self._facts.counter.render(request.messages), self._facts.window
        if window is not None and needs > window:
            return Failure("too_long", _long(needs, window))
        return self.script.reply(request)


class Scripted(_Actor):
    """A scripted model in this process: it is given lists, as a local model is.

    Args:
        rules: the first that matches the last user message speaks. default: speaks where none does (it echoes).
        batch: the most requests it wants at once.
        name, window, prices, speed: the facts it claims. dimensions: of its vectors.
        record: keep every list of requests in `calls`.

    Example:
        >>> reader = Scripted([Rule("notice", "Three months.")])
        >>> from ragctx.work import Message
        >>> [reply] = reader.serve([Generate((Message("user", "What is the notice period?"),))], lambda i, text: None)
        >>> reply.text, reply.prompt_tokens, reply.output_tokens
        ('Three months.', 8, 3)
    """

    def __init__(self, rules: Sequence[Rule] = (), *, batch: int = 64, **facts: Any) -> None:  # noqa: ANN401
        super().__init__(rules, **facts)
        self.batch = batch

    def serve(self, requests: Sequence[Request], emit: Callable[[int, str], None]) -> list[Reply]:
        """One reply for each request; completions are streamed word by word."""
        self._note(*requests)
        time.sleep(max(map(self._delay, requests), default=0))
        replies = [self._reply(request) for request in requests]
        for index, reply in enumerate(replies):
            for piece in _pieces(requests[index], reply):
                emit(index, piece)
        return replies

    def close(self) -> None:
        """Nothing to release."""


class ScriptedRemote(_Actor):
    """A scripted model behind an imagined endpoint: one call at a time, `concurrency` at once.

    Args:
        concurrency: the most calls in flight. The rest is as for `Scripted`.

    Attributes:
        aborted: calls that were cancelled while they were in flight.
    """

    def __init__(self, rules: Sequence[Rule] = (), *, concurrency: int = 8, **facts: Any) -> None:  # noqa: ANN401
        super().__init__(rules, **facts)
        self.concurrency = concurrency
        self.aborted = 0

    async def call(self, request: Request, emit: Callable[[str], None]) -> Reply:
        """One reply; a completion is streamed word by word."""
        self._note(request)
        began = time.perf_counter()
        try:
            await asyncio.sleep(self._delay(request))
        except asyncio.CancelledError:
            self.aborted += 1
            raise
        reply = self._reply(request)
        for piece in _pieces(request, reply):
            emit(piece)
            await asyncio.sleep(0)
        return replace(reply, seconds=time.perf_counter() - began) if isinstance(reply, Completion) else reply

    async def close(self) -> None:
        """Nothing to release."""


def open_reader(
    name: str, *, remote: bool = False, batch: int | None = None, concurrency: int | None = None, **facts: object
) -> Backend:
    """The scripted reader of a file, as `scripted:script.toml`; `scripted:echo` says the last user message back.

    Args:
        name: a TOML or JSON file, or "echo".
        remote: behave like an endpoint.
        batch: of a local model.
        concurrency: of an endpoint.
        facts: window, prices, speed, dimensions, record; they override the file's.

    Raises:
        ConfigError: the file cannot be read or holds unknown keys, or an option is unknown.
    """
    script, table = (Script(), {}) if name == "echo" else read_script(Path(name))
    sizes = {"batch": batch, "concurrency": concurrency}
    table.update({key: value for key, value in {**sizes, **facts}.items() if value is not None})
    unknown = sorted(set(facts) - FACTS)
    if unknown:
        raise ConfigError(f"the scripted reader has no option {', '.join(unknown)}: it has {', '.join(sorted(FACTS))}")
    table.pop("batch" if remote else "concurrency", None)  # a script serves both styles
    style: Any = ScriptedRemote if remote else Scripted
    actor: Any = style(script.rules, default=script.default, name=f"scripted:{name}", **table)
    return actor  # type: ignore[no-any-return]


def _long(needs: int, window: int) -> str:
    return f"{needs} tokens do not fit the scripted window of {window}: read less"


def _pieces(request: Request, reply: Reply) -> Iterator[str]:
    if isinstance(request, Generate) and isinstance(reply, Completion):
        yield from _PIECE.findall(reply.text)
