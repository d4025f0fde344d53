"""A list of requests sorted by what a language model does with them: texts to write, texts to score, and refusals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from ragctx.contracts import Emit
from ragctx.errors import DoesNotFit
from ragctx.work import Failure, Generate, Reply, Request, Score

W = TypeVar("W")
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Turn(Generic[W, S]):
    """What is to be done, by the place of the request in its list; `replies` has those that cannot be served."""

    writings: dict[int, W] = field(default_factory=dict)
    scorings: dict[int, S] = field(default_factory=dict)
    replies: dict[int, Reply] = field(default_factory=dict)


def turn(
    requests: Sequence[Request],
    emit: Emit,
    begin: Callable[[Generate, Callable[[str], None]], W],
    scoring: Callable[[Score], S],
    name: str,
) -> Turn[W, S]:
    """The requests, each made ready or refused.

    Args:
        requests: in order.
        emit: is told a request's place and its new text.
        begin: makes a text to write ready, given what shows it; raises `DoesNotFit`, or ValueError for what makes no
            sense.
        scoring: likewise a text to score.
        name: of the model, for refusals.
    """
    sorted_: Turn[W, S] = Turn()
    for i, request in enumerate(requests):
        try:
            if isinstance(request, Generate):
                sorted_.writings[i] = begin(request, partial(emit, i))
            elif isinstance(request, Score):
                sorted_.scorings[i] = scoring(request)
            else:
                told = f"{name} answers no {type(request).__name__}: name an encoder"
                sorted_.replies[i] = Failure("bad_request", told)
        except DoesNotFit as long:
            sorted_.replies[i] = Failure("too_long", str(long))
        except ValueError as refused:
            sorted_.replies[i] = Failure("bad_request", str(refused))
    return sorted_
