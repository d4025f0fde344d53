"""Puts summaries in the place of passages: written once by the reader, good for every question after.

The idea is the summarisation compression of TCRA-LLM (Liu et al., Findings of EMNLP 2023, arXiv:2310.15556), with the
reader in the place of a model trained for it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from ragctx.compressors.cutting import left_out
from ragctx.compressors.filling import Filling, tokens
from ragctx.compressors.likeness import likeness, line
from ragctx.compressors.parts import Part, blanks, parts, visible
from ragctx.compressors.telling import about, unfenced, writes
from ragctx.compressors.units import Unit, sentences
from ragctx.compressors.weighing import Weighed
from ragctx.errors import ConfigError, RequestFailed
from ragctx.models import Counter, Models
from ragctx.types import Context, Dropped, Line, Passage, Question, Range
from ragctx.work import Completion, Failure, Generate, Reply, Request, Sampling, Work

_TASK = (
    "Sum the text up in at most {words} words. Keep names, numbers, dates and conditions as they stand in it, add "
    "nothing that it does not say, and put what matters most first. Reply with the summary only."
)
_LABEL = re.compile(
    r"\A\W*(?:(?:here is (?:a|the) )?(?:brief |short )?summary(?: of the text)?|the text (?:is|says))\s*:\W*",
    re.IGNORECASE,
)
_NOT_READ = "over the token budget: its summary was not needed as much"
_STEP = 1.5  # lengths asked for are so far apart, so that like budgets ask for the same summaries
_WORDS = 0.75  # words a token
# A text is left as it is where its summary would hardly be shorter.
_SHORTER = 0.8
_FRAME = 110  # tokens of rule and task around one text


@dataclass(frozen=True, slots=True)
class SummaryCompressor:
    """Replaces what does not fit by summaries, of which whole sentences fill the budget.

    Each passage (a long one in parts) is summed up by itself, and its question is not told: the same request comes
    again for every question and every budget like this one, and is answered from the engine's cache. So the price is
    paid once for a text that many questions read. Lengths are shares of the budget by the parts' sizes, rounded up to
    a ladder of lengths; from summaries that are together too long, later sentences go first.

    Where the budget is too small to say something of every part, those most like the question are summed up and the
    rest is dropped. Summaries are derived passages that name the spans they were written from; a citation of one
    leads to all of its part. A part whose summary failed keeps sentences of its own, and a note says so.

    Attributes:
        least: tokens below which no summary says anything.
        longest: tokens of a part: what one request reads.

    Raises:
        ConfigError: an option makes no sense, or the reader writes nothing.
        RequestFailed: not one summary could be had.

    Example:
        >>> from ragctx.readers.scripted import Rule, Scripted
        >>> from ragctx.types import Passage, Span
        >>> from ragctx.work import run
        >>> text = "The tenant owes ten crowns a month as rent. It falls due on the first day of every month. " * 3
        >>> reader = Scripted([Rule("Sum the text up", "Summary: Rent is ten crowns, due on the first.")])
        >>> context = Context((Passage(text, (Span("lease", 0, len(text)),), "lease"),))
        >>> work = SummaryCompressor().compress(Question("Rent?"), context, 12, Models({"reader": reader.facts}))
        >>> found = run(work, lambda requests: reader.serve(requests, lambda i, text: None))
        >>> found.passages[0].text, found.passages[0].derived
        ('Rent is ten crowns, due on the first.', True)
    """

    name: ClassVar[str] = "tcra-summary"

    least: int = 24
    longest: int = 1500

    def __post_init__(self) -> None:
        if self.least < 1 or self.longest <= self.least:
            raise ConfigError(f"least={self.least} and longest={self.longest}: give 1 <= least < longest")

    def compress(self, question: Question, context: Context, budget: int, models: Models) -> Work[Context]:
        """A context of at most `budget` tokens by the reader's counter, of summaries where the texts do not fit."""
        counter = models.reader.counter
        found = parts(context.passages, counter, _readable(models, self.longest))
        shown, blank = visible(found, context.passages), blanks(context.passages)
        if tokens(shown, counter) <= budget or not found:
            return replace(context, passages=tuple(shown), dropped=(*context.dropped, *blank))
        writes(models, "summarising")
        texts = [part.passage.text for part in found]
        weights, note = (yield from likeness(question.text, texts, models)) if budget > 0 else ([0.0] * len(found), "")
        lengths = self._lengths(found, weights, budget)
        asked = [i for i, length in enumerate(lengths) if 0 < length < found[i].tokens]
        replies: Sequence[Reply] = ()
        if asked:
            replies = yield [_request(found[i], lengths[i], models) for i in asked]
        said = {i: _said(reply, found[i].passage) for i, reply in zip(asked, replies, strict=True)}
        failed = _failed(replies, said)
        weighed = [self._weighed(part, said.get(i, ""), weights[i]) for i, part in enumerate(found)]
        kept = self._filled(weighed, lengths, counter, budget)
        dropped = _dropped(weighed, kept.kept)
        notes = [text for text in (note if 0 in lengths else "", failed) if text]
        return Context(
            tuple(passage for _, passage in kept.passages()),
            (*context.dropped, *blank, *dropped),
            (*context.notes, *notes),
            {**context.signals, "summarised": float(len(asked)), "parts": float(len(found))},
        )

    def estimate(
        self, context_tokens: int, passages: int, question_tokens: int, budget: int, models: Models
    ) -> tuple[Line, ...]:
        """One call for each part that may be said anything of; nothing where everything fits.

        Replies that are in the cache already cost nothing, which nobody knows here.
        """
        if context_tokens <= budget or budget < 1:
            return ()
        calls = max(passages, math.ceil(context_tokens / self.longest), 1)
        told = min(calls, max(1, budget // self.least))
        prompt = context_tokens * told / calls + _FRAME * told
        written = Range(told, max(told, 0.8 * budget), max(told, (budget * _STEP + self.least * told) * 1.25))
        return (
            Line("reader", Range(0.9 * prompt, prompt, 1.15 * prompt), written, Range.exactly(told)),
            *line(context_tokens, calls, question_tokens, models),
        )

    def _lengths(self, found: Sequence[Part], weights: Sequence[float], budget: int) -> list[int]:
        """Tokens that each part may take; 0 for those that nothing will be said of."""
        room = max(1, budget // self.least) if budget > 0 else 0
        best = sorted(range(len(found)), key=lambda i: (-weights[i], i))[:room]
        total = sum(found[i].tokens for i in best)
        lengths = [0] * len(found)
        for i in best:
            lengths[i] = self._length(found[i].tokens, budget / total)
        return lengths

    def _length(self, size: int, share: float) -> int:
        """Tokens for a part of some size: a rung of the ladder, or its size where a summary would hardly be shorter."""
        most = int(_SHORTER * size)
        return size if share >= _SHORTER or self.least > most else min(most, self._rung(share * size))

    def _rung(self, wanted: float) -> int:
        """The next length up the ladder."""
        steps = max(0, math.ceil(math.log(max(wanted, 1) / self.least, _STEP) - 1e-9))
        return round(self.least * _STEP**steps)

    def _weighed(self, part: Part, summary: str, weight: float) -> Weighed:
        """A summary, or the part itself, as sentences of which earlier ones are wanted more."""
        passage = replace(part.passage, text=summary, derived=True) if summary else part.passage
        bounds = tuple(sentences(summary)) if summary else part.sentences
        wanted = tuple((1 + weight) / (2 + 2 * place) for place in range(len(bounds)))
        return Weighed(passage, tuple(Unit(start, end, of=i) for i, (start, end) in enumerate(bounds)), wanted, weight)

    def _filled(self, weighed: Sequence[Weighed], lengths: Sequence[int], counter: Counter, budget: int) -> Filling:
        places = [(i, j) for i, one in enumerate(weighed) if lengths[i] for j in range(len(one.units))]
        filling = Filling(weighed, counter, budget, titled=False)
        filling.fill(sorted(places, key=lambda at: (at[1], -weighed[at[0]].relevance, at[0])))
        return filling


def _readable(models: Models, longest: int) -> int:
    """What of a window a part may take: half at most, for a summary is never longer than its text."""
    window = models.reader.window
    return longest if window is None else max(1, min(longest, (window - _FRAME) // 2))


def _request(part: Part, length: int, models: Models) -> Request:
    most = min(filter(None, (round(1.25 * length) + 8, models.reader.max_output)))
    task = _TASK.format(words=max(5, round(length * _WORDS)))
    return Generate(about(part.passage, task), purpose="summarise", sampling=Sampling(max_tokens=most), tolerant=True)


def _said(reply: Reply, passage: Passage) -> str:
    """The summary, without a label or fence and without a sentence that was cut off; empty where there is none."""
    if not isinstance(reply, Completion):
        return ""
    text = _LABEL.sub("", unfenced(reply.text, passage).strip()).strip()
    found = sentences(text)
    if reply.finish == "length" and len(found) > 1:
        return text[: found[-2][1]]
    return text


def _failed(replies: Sequence[Reply], said: dict[int, str]) -> str:
    """A note on the parts that were not summed up.

    Raises:
        RequestFailed: none was.
    """
    missing = sum(not text for text in said.values())
    if not missing:
        return ""
    why = next((reply for reply in replies if isinstance(reply, Failure)), None)
    told = why.message if why else "the reader wrote nothing"
    if missing == len(said):
        raise RequestFailed(why.kind if why else "empty", f"no passage could be summed up: {told}")
    return f"{missing} of {len(said)} texts could not be summed up ({told}): their own sentences stand instead"


def _dropped(weighed: Sequence[Weighed], kept: Sequence[set[int]]) -> list[Dropped]:
    """Spans of which nothing is told; parts of a derived passage share its spans, and any that is kept tells them."""
    told = {span for one, units in zip(weighed, kept, strict=True) if units for span in one.passage.spans}
    left = (out for one, units in zip(weighed, kept, strict=True) for out in left_out(one, units, lambda _: _NOT_READ))
    found = dict.fromkeys(left)
    whole = {one.passage.spans for one in weighed if one.passage.derived}
    shared = {span for spans in whole for span in spans}
    return [out for out in found if not (out.span in shared and out.span in told)]
