"""What iterative retrieval is expected to take: nobody knows beforehand how many rounds there will be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ragctx.agents.looking_up import PLANNER, ROUND, STEP, WORKER, Desk
from ragctx.strategies.answering import EXPECTED_OUTPUT
from ragctx.strategies.chunk_sizes import chunk_tokens
from ragctx.types import Context, Line, Range

# What a sub-question, a round's answer and the words around them are expected to take.
_STEP, _FOUND, _AROUND = 12, 16, 8
# Rounds that are expected of those that are allowed, and the share of a round's passages that no search found before.
_USUAL, _NEW = 0.7, 0.6
# Chunks that were found are rarely longer together than this many mean ones.
_LONG = 1.4
# Chunks that nobody has found yet take this share of their mean at least.
_SURE = 0.8
# An estimate that spans more than this says nothing.
_SPAN = 3.95


def lines(desk: Desk, found: Context | None, rounds: int, documents: int) -> tuple[Line, ...]:
    """What each role will take: from no round at all to all of them.

    Args:
        desk: of the question.
        found: its passages; None where they cannot be found beforehand.
        rounds: most rounds.
        documents: chunks of each search.
    """
    chunks = min(documents, len(desk.view.chunks)) * chunk_tokens(desk.view, desk.models.reader.counter)
    each, usual = min(float(desk.room), chunks), max(1.0, _USUAL * rounds)
    return _within(
        [_planner(desk, rounds, usual), _worker(desk, rounds, usual, each), _reader(desk, found, usual, each)]
    )


def searches(rounds: int) -> Range:
    """How often is searched: once for the question, and in every round."""
    return Range(1, 1 + max(1.0, _USUAL * rounds), 1 + rounds)


def _planner(desk: Desk, rounds: int, usual: float) -> Line:
    plan, planned = desk.models.of(PLANNER).counter.render(desk.plan(())), min(float(rounds), usual + 1)
    grown = (_STEP + _FOUND + _AROUND) * planned * (planned - 1) / 2
    most = rounds * plan + (STEP + ROUND + _AROUND) * rounds * (rounds - 1) / 2
    return Line(
        PLANNER,
        Range(plan, min(planned * plan + grown, most), most),
        Range(1, max(1, planned * _STEP), rounds * STEP),
        Range(1, planned, rounds),
    )


def _worker(desk: Desk, rounds: int, usual: float, each: float) -> Line:
    """A round's prompt is that of an answer, with a sub-question in the question's place."""
    counter = desk.models.of(WORKER).counter
    around = max(0, desk.last(()).tokens(()) - counter.count(desk.question.text))
    typical, longest = around + _STEP + each, around + STEP + min(float(desk.room), _LONG * each)
    return Line(
        WORKER,
        Range(0, usual * typical, max(rounds * longest, usual * typical)),
        Range(0, usual * _FOUND, rounds * ROUND),
        Range(0, usual, rounds),
    )


def _reader(desk: Desk, found: Context | None, usual: float, each: float) -> Line:
    last, output = desk.last(()), desk.reading.output
    bare, most = last.tokens(()), float(last.ceiling.tokens or 0)
    own = bare + each if found is None else float(last.tokens(last.fill(found).passages))
    end = min(most, own + usual * (_NEW * each + _STEP + _FOUND))
    output_range = Range(1, min(EXPECTED_OUTPUT, output), output)
    least = bare + (_SURE if found is None else 1.0) * max(0.0, min(own, end) - bare)
    return Line("reader", Range(least, max(least, end), max(most, end, least)), output_range, Range.exactly(1))


def _within(expected: Sequence[Line]) -> tuple[Line, ...]:
    """The lines, the least prompts raised so that all together span no more than they may."""
    low, high = (sum(getattr(line.prompt, bound) for line in expected) for bound in ("low", "high"))
    room = sum(line.prompt.expected - line.prompt.low for line in expected)
    if low * _SPAN >= high or room <= 0:
        return tuple(expected)
    share = min(1.0, (high / _SPAN - low) / room)
    return tuple(replace(line, prompt=_raised(line.prompt, share)) for line in expected)


def _raised(prompt: Range, share: float) -> Range:
    return Range(prompt.low + share * (prompt.expected - prompt.low), prompt.expected, prompt.high)
