"""A bundled local model that is opened when it is first asked, or when its tokens are first counted.

Opening one for the first time on a machine converts its weights, which takes seconds. A pipeline that binds a model to
a role by itself, for works that may never come, must not wait for that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, cast

from ragctx.models import ModelFacts, pieces_of

if TYPE_CHECKING:
    from ragctx.contracts import BatchBackend, Emit
    from ragctx.models import Counter
    from ragctx.work import Message, Reply, Request


@dataclass(frozen=True)
class _Counter:
    """The model's own counter, once somebody counts."""

    name: str
    counter: Callable[[], Counter]
    exact: bool = True

    def count(self, text: str) -> int:
        return self.counter().count(text)

    def render(self, messages: Sequence[Message]) -> int:
        return self.counter().render(messages)

    def pieces(self, text: str) -> tuple[Sequence[int], Sequence[tuple[int, int]]]:
        return pieces_of(ModelFacts(self.name, self.counter())).pieces(text)


class Deferred:
    """A model in this process that opens when it is needed; a `BatchBackend`.

    Args:
        name: of the model, as the user would write it.
        identity: what cache keys hold, before and after it opened.
        window: tokens, as far as is known without opening it.
        kinds: the requests it is for.
        make: opens it.

    Example:
        >>> from ragctx.readers.scripted import Scripted
        >>> scorer = Deferred("later", "later:1", None, frozenset({"Score"}), Scripted)
        >>> scorer.facts.counter.name, scorer.opened
        ('later', False)
        >>> scorer.facts.counter.count("Three months."), scorer.opened
        (3, True)
    """

    def __init__(
        self, name: str, identity: str, window: int | None, kinds: frozenset[str], make: Callable[[], object]
    ) -> None:
        self._make, self._lock = make, threading.RLock()
        counter = _Counter(name, lambda: self._backend.facts.counter)
        self._facts = ModelFacts(name, counter, window, identity=identity, kinds=kinds)

    @property
    def opened(self) -> bool:
        """Whether somebody has needed it."""
        return "_held" in vars(self)

    @property
    def batch(self) -> int:
        """Requests it wants at once."""
        return self._held.batch if self.opened else 16

    @property
    def facts(self) -> ModelFacts:
        """Its facts; a speed as soon as it was measured."""
        return replace(self._facts, speed=self._held.facts.speed) if self.opened else self._facts

    def serve(self, requests: Sequence[Request], emit: Emit) -> Sequence[Reply]:
        """What the model replies."""
        return self._backend.serve(requests, emit)

    def close(self) -> None:
        """Release the model, if it was opened."""
        if self.opened:
            self._held.close()

    @property
    def _backend(self) -> BatchBackend:
        with self._lock:  # counters are asked from many threads
            return self._held

    @cached_property
    def _held(self) -> BatchBackend:
        return cast("BatchBackend", self._make())
