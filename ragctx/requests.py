"""What works ask of models, and what comes back: plain frozen values, shared by works, engine and backends."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import numpy as np

_HALF = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a reader writes; every field is part of the cache key.

    Attributes:
        max_tokens: output ceiling in tokens. temperature: 0 is greedy.
        seed: of the random numbers. sample: index among several samples of one prompt.
        stop: strings at which writing ends. ignore_end: write all `max_tokens` (benchmarks only).
        logprobs: ask for the log-probability of every written token.
    """

    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    sample: int = 0
    stop: tuple[str, ...] = ()
    ignore_end: bool = False
    logprobs: bool = False


@dataclass(frozen=True, slots=True)
class Generate:
    """Write a completion of a chat prompt.

    Attributes:
        role: which of the pipeline's models is meant. purpose: shown in the ledger.
        schema: JSON schema the output must follow, as canonical JSON text; empty means free text.
        final: the one request of a work whose tokens stream to the user.
        tolerant: a failure comes back in the slot instead of being raised.
    """

    messages: tuple[Message, ...]
    role: str = "reader"
    purpose: str = "answer"
    sampling: Sampling = Sampling()
    schema: str = ""
    final: bool = False
    tolerant: bool = False


@dataclass(frozen=True, slots=True)
class Score:
    """Log-probabilities of given tokens: of every token of `target` after `prefix`.

    Attributes:
        prefix: a text, or the ids of the scorer's own tokens (`ragctx.models.pieces_of`), taken exactly as they are.
        target: likewise; a text is encoded on its own, so that nothing of the prefix runs into it.
        whole: the prefix's own tokens are wanted too, from the same pass: `Scores.before`.
    """

    prefix: str | tuple[int, ...]
    target: str | tuple[int, ...]
    role: str = "scorer"
    purpose: str = "score"
    tolerant: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Embed:
    """Vectors of texts, one row each, L2-normalised; `query` asks for the encoder's query form."""

    texts: tuple[str, ...]
    query: bool = False
    role: str = "encoder"
    purpose: str = "embed"
    tolerant: bool = False


@dataclass(frozen=True, slots=True)
class Rerank:
    """Relevance of every text to one query, 0 to 1; where asked for, also what of each text matters and what answers.

    Attributes:
        titles: of the texts' documents, one for each text; none at all where nothing is known.
        units: character ranges of every text (its sentences) to be weighed one by one; none at all weighs none. The
            model must answer "Prune".
        answers: the most answers to point out in each text. The model must answer "Extract" where it is above 0.
    """

    query: str
    texts: tuple[str, ...]
    role: str = "ranker"
    purpose: str = "rerank"
    tolerant: bool = False
    titles: tuple[str, ...] = ()
    units: tuple[tuple[tuple[int, int], ...], ...] = ()
    answers: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """What a reader wrote, and what it billed.

    Half characters (lone surrogates, as a broken endpoint's JSON may hold them) become the replacement character: no
    tokenizer, no sentence splitter and no file takes them.

    Attributes:
        prompt_tokens: as billed. cached_tokens: part of them served from a prefix cache.
        logprobs: one for each output token when asked for, else empty.
        finish: "stop" (ended by itself), "length" (cut at max_tokens), "loop" (ended as it repeated itself), "filter"
            or "tool".
        exact: token counts are the model's own; False where the server sent none and they were estimated.
    """

    text: str
    prompt_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    logprobs: tuple[float, ...] = ()
    finish: str = "stop"
    seconds: float = 0.0
    exact: bool = True

    def __post_init__(self) -> None:
        if _HALF.search(self.text):
            object.__setattr__(self, "text", _HALF.sub("\ufffd", self.text))


@dataclass(frozen=True, slots=True)
class Scores:
    """Log-probability and id of every target token; all numbers are finite.

    Attributes:
        offsets: characters [start, end) of the target, one for each token; none where the target was given as ids.
        before: the log-probability of every token of the prefix, where the whole was asked for, else none. The very
            first token of a sequence, which nothing precedes, is 0.0.
    """

    logprobs: tuple[float, ...]
    tokens: tuple[int, ...] = ()
    offsets: tuple[tuple[int, int], ...] = ()
    prompt_tokens: int = 0
    seconds: float = 0.0
    before: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """One row for each text, float32, shape (len(texts), dimensions)."""

    rows: np.ndarray
    tokens: int = 0
    seconds: float = 0.0


class Stretch(NamedTuple):
    """Characters [start, end) of a text, and how likely it is that they answer, 0 to 1."""

    start: int
    end: int
    probability: float


@dataclass(frozen=True, slots=True)
class Relevances:
    """One probability for each text.

    Attributes:
        keeps: for each text the probability of each of its units that it is needed; none where no units were asked.
        answers: for each text the likeliest answers, best first, none overlapping; none where none were asked.
    """

    values: tuple[float, ...]
    tokens: int = 0
    seconds: float = 0.0
    keeps: tuple[tuple[float, ...], ...] = ()
    answers: tuple[tuple[Stretch, ...], ...] = ()


FailureKind = Literal[
    "refused", "timeout", "rate_limit", "server", "malformed", "empty", "too_long", "unauthorised", "bad_request",
    "cancelled", "crashed",
]  # fmt: skip
RETRYABLE: frozenset[str] = frozenset({"refused", "timeout", "rate_limit", "server", "malformed", "empty"})


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that got no usable reply.

    Attributes:
        kind: what went wrong; the kinds in `RETRYABLE` are tried again by the engine.
        message: what happened and what to do next, fit to be shown to a person.
        retry_after: seconds the server asked to wait, where it said.
        attempts: how many times it was tried.
        prompt_tokens: billed although the reply is unusable (an empty or malformed completion).
        output_tokens: likewise.
    """

    kind: FailureKind
    message: str
    retry_after: float | None = None
    attempts: int = 1
    prompt_tokens: int = 0
    output_tokens: int = 0


Request = Generate | Score | Embed | Rerank
Success = Completion | Scores | Vectors | Relevances
Reply = Success | Failure


def abilities(request: Request) -> frozenset[str]:
    """What a model must answer to serve a request; see `ModelFacts.kinds`.

    Example:
        >>> sorted(abilities(Rerank("Why?", ("Because.",), answers=1)))
        ['Extract', 'Rerank']
    """
    kind = type(request).__name__
    if not isinstance(request, Rerank):
        return frozenset({kind})
    return frozenset({kind, *(["Prune"] if request.units else []), *(["Extract"] if request.answers else [])})
