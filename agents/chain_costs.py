"""What the workers and the judge of a chain take: as a plan expects it, and at most, as a budget must hold it."""

from __future__ import annotations

from collections.abc import Iterator

from ragctx.agents.chain_walk import NUMBER, judging
from ragctx.agents.chaining import Chain
from ragctx.models import ModelFacts
from ragctx.types import Line, Range

# What a message is expected to take, once there is something in it; only plans rest on it.
EXPECTED = 60
# Counts of a prompt's parts and of the whole prompt differ by so many tokens at most.
SEAMS = 8
# Stands for a message that is not written yet.
_ANY = "x"


def workers(chain: Chain, paths: int, spread: tuple[float, float], drift: int) -> Line:
    """All workers of all orders.

    Args:
        chain: what they are asked.
        paths: how many orders there are.
        spread: between which shares of the expected portions the real ones are; (1, 1) where they are cut already.
        drift: by how many tokens the question may change in each prompt before it is asked.
    """
    number, read = len(chain.cuts), sum(cut.tokens for cut in chain.cuts)
    first, later = chain.bare(), chain.bare(_ANY) - 1
    typical = min(EXPECTED, chain.message)
    low, high = spread
    prompt = Range(
        paths * max(0.0, low * (read + number * (min(first, later) - drift)) - SEAMS * number),
        paths * (read + first + (number - 1) * (later + typical)),
        paths * (high * (read + number * (max(first, later) + drift + chain.message + SEAMS))),
    )
    calls = Range(paths * max(1, round(low * number)), paths * number, paths * (round(high * number) + (high > 1)))
    output = Range(0, calls.expected * typical, calls.high * chain.message)
    return Line("worker", prompt, output, calls)


def judge(chain: Chain, paths: int, facts: ModelFacts) -> tuple[Line, ...]:
    """The judge, where there are several orders; where they find the same or nothing, it is not asked."""
    if paths < 2:
        return ()
    bare = _judged(chain, paths, facts)
    prompt = Range(0, bare + paths * min(EXPECTED, chain.message), bare + paths * (chain.message + SEAMS))
    return (Line("judge", prompt, Range(0, 2, NUMBER), Range(0, 1, 1)),)


def bill(chain: Chain, paths: int, facts: ModelFacts) -> Iterator[tuple[int, int]]:
    """(prompt, output) tokens of every worker and of the judge, at most.

    Args:
        chain: what they are asked.
        paths: how many orders there are.
        facts: of the judge's model.
    """
    most = max(chain.bare(), chain.bare(_ANY) + chain.message) + SEAMS
    for cut in chain.cuts * paths:
        yield most + cut.tokens, chain.message
    if paths > 1:
        yield _judged(chain, paths, facts) + paths * (chain.message + SEAMS), NUMBER


def _judged(chain: Chain, paths: int, facts: ModelFacts) -> int:
    """Tokens of the judge's prompt without messages."""
    return facts.counter.render(judging(chain, [_ANY] * paths)) - paths
