"""Incremental updating, after Chang et al. (ICLR 2024, arXiv 2310.00785): one summary, brought up to date part by part.

An update that runs over its limit, or does not end as a sentence does, left no room: the summary before it is
shortened to its share of the limit (part j of n: j/n of it, by a fifth more or less) and the update is asked for once
more. What does not work out leaves the summary as it was, and a note says so.
"""

from __future__ import annotations

from collections.abc import Sequence

from ragctx.agents.summaries import LOST, WORDS, Summary, Wish, Writer, ended, tidied
from ragctx.errors import BudgetSpent
from ragctx.strategies.portions import Portion
from ragctx.types import Span
from ragctx.work import Completion, Work

# A shortened summary may be longer than it was asked to be by this share.
_OVER = 0.2
# How much each try asks for less.
_LESS = 0.05
STOPPED = "only the first {} of {} parts are in the summary: {}"


def incremental(writer: Writer, cut: Sequence[Portion], limit: int, focused: str) -> Work[Summary | None]:
    """The summary of all parts; without text where none bears on the question, None where nothing usable came.

    Args:
        writer: asks.
        cut: the parts, in order.
        limit: tokens of the summary.
        focused: "focused" or "plain".

    Raises:
        BudgetSpent: the first call was not allowed.
    """
    summary: Summary | None = None
    number, lost = 1, 0
    for place, portion in enumerate(cut, 1):
        wish = _wish(portion, number, limit, focused, summary, only=len(cut) == 1)
        try:
            written = yield from _step(writer, wish, summary, place / len(cut), focused)
        except BudgetSpent as spent:
            if summary is None:
                raise
            writer.notes[STOPPED.format(place - 1, len(cut), spent)] = None
            writer.lost.extend(span for left in cut[place - 1 :] for passage in left for span in passage.spans)
            return summary
        writer.book(wish, written)
        lost += written is None
        summary = _joined(summary, written)
        number += len(portion)
    if lost:
        writer.notes[f"{lost} of {len(cut)} parts: {LOST}"] = None
    return summary


def _wish(portion: Portion, number: int, limit: int, focused: str, so_far: Summary | None, *, only: bool) -> Wish:
    spans = tuple(span for passage in portion for span in passage.spans)
    if so_far is None or not so_far.text:
        source = "\n\n".join(passage.text.strip() for passage in portion)
        purpose = "final summary" if only else "first summary"
        return Wish(f"part_{focused}", purpose, portion, limit, spans, number, source=source, final=only)
    values = (("summary", so_far.text),)
    return Wish(f"update_{focused}", "update", portion, limit, spans, number, values=values)


def _step(writer: Writer, wish: Wish, so_far: Summary | None, share: float, focused: str) -> Work[Summary | None]:
    """The summary with one more part in it."""
    if not wish.values or so_far is None:
        [written] = yield from writer.write([wish])
        return written
    [reply] = yield [writer.request(wish)]
    writer.purse.paid(reply)  # type: ignore[arg-type]
    if not isinstance(reply, Completion):
        return None
    if (valid := writer.valid(wish, reply)) is not None:
        return valid
    shorter = yield from _shortened(writer, so_far, max(1, int(wish.limit * share)))
    again = Wish(
        f"update_{focused}", "update again", wish.passages, wish.limit, wish.spans, wish.first,
        values=(("summary", shorter),),
    )  # fmt: skip
    [written] = yield from writer.again(again, reply)
    return written


def _shortened(writer: Writer, so_far: Summary, target: int) -> Work[str]:
    """The summary in about `target` tokens; as it was where it is short enough, or no try gave a shorter one."""
    count = writer.facts.counter.count
    text = so_far.text
    for attempt in range(writer.tries):
        if count(text) <= target * (1 + _OVER):
            break
        aim = max(8, int(target * (1 - _LESS) ** attempt))
        wish = Wish("shorten", "shorten", (), aim, (), values=(("summary", text), ("words", str(int(aim * WORDS)))))
        request = writer.request(wish, attempt)
        if not writer.purse.allows(writer.facts.counter.render(request.messages), request.sampling.max_tokens):
            break
        [reply] = yield [request]
        writer.purse.paid(reply)  # type: ignore[arg-type]
        said = tidied(reply.text) if isinstance(reply, Completion) else ""
        if said and ended(said) and count(said) < count(text):
            text = said
    return text


def _joined(so_far: Summary | None, written: Summary | None) -> Summary | None:
    """The newer one, resting on all that was read; a part that added nothing was read all the same."""
    if so_far is None or written is None:
        return written or so_far
    spans: tuple[Span, ...] = (*so_far.spans, *written.spans)
    text, reply = (written.text, written.completion) if written.text else (so_far.text, so_far.completion)
    return Summary(text, spans, reply)
