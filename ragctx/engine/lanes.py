"""A lane leads to one backend, whatever its style."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from ragctx.models import ModelFacts
from ragctx.work import Completion, Failure, Generate, Reply, Request, fits


@dataclass(slots=True)
class Errand:
    """One attempt at one request.

    Attributes:
        emit: takes new text on the loop thread; None where nobody listens.
        began: when the backend was given the request (on the clock of `perf_counter`), so that it may be billed even if
            it is abandoned; None before that.
        seconds: what the backend took, without the wait for it; of a list of requests each takes its part.
    """

    request: Request
    emit: Callable[[str], None] | None = None
    began: float | None = None
    seconds: float = 0.0


class Lane(Protocol):
    """Leads requests to one backend."""

    @property
    def facts(self) -> ModelFacts:
        """The backend's facts."""
        ...

    async def serve(self, errand: Errand) -> Reply:
        """The reply; a backend that raises or answers nonsense makes a `Failure` of kind "crashed"."""
        ...

    async def close(self) -> None:
        """Close the lane and its backend."""
        ...


def fitting(request: Request, reply: object, model: str) -> Reply:
    """The reply if it is of the request's kind and of any use, otherwise a failure that says whose fault it is."""
    if isinstance(reply, Completion) and isinstance(request, Generate) and _blank(request, reply):
        told = f"{model} wrote nothing: ask in other words, allow a longer answer, or use another model"
        return Failure("empty", told, prompt_tokens=reply.prompt_tokens, output_tokens=reply.output_tokens)
    if isinstance(reply, Failure) or fits(request, reply):
        return cast("Reply", reply)
    return Failure(
        "crashed",
        f"{model} answered a {type(request).__name__} with a {type(reply).__name__}: report this to its maintainers",
    )


def _blank(request: Generate, reply: Completion) -> bool:
    """Nothing was written although something was asked for; benchmarks that ignore the end take whatever comes."""
    sampling = request.sampling
    return not reply.text.strip() and sampling.max_tokens > 0 and not sampling.ignore_end


def crashed(error: BaseException, model: str) -> Failure:
    """The failure of a backend that raised."""
    return Failure("crashed", f"{model} raised {type(error).__name__}: {error}: report this to its maintainers")
