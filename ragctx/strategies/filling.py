"""Fills a prompt with passages up to a ceiling, to the token."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ragctx.corpus import Corpus
from ragctx.errors import LimitError
from ragctx.grounding.words import content
from ragctx.models import Counter
from ragctx.prompts import Prompt
from ragctx.strategies.chunk_sizes import HEADING
from ragctx.strategies.limits import Ceiling
from ragctx.types import Context, Dropped, Passage, Question, Span

Arrange = Callable[[Sequence[Passage]], list[Passage]]
# What is left of the room after whole passages is used for a part of the next one from this share on.
_WORTH = 0.125
# Passages that are tried for that part, where others are read already.
_TRIED = 4
# Shortest sentences of which the cheapest shows whether anything fits at all.
_SHORTEST = 8
_OVER = "over the token budget"
# Characters of the shortest piece of a sentence that is worth reading.
_WORDS = 8
_CUT = "not one sentence fits the room: the beginning of one was read"


@dataclass(frozen=True, slots=True)
class Filler:
    """Fills one question's prompt.

    Passages are taken best first, each that still fits. A passage that does not fit is narrowed to the sentences
    around its best one where that puts a good part of the room to use, and where nothing would be read otherwise.
    Pieces are counted one by one; what counts in the end is the whole rendered prompt, from which the last passages
    taken are given back while it is over the ceiling. Passages that follow each other in a document are read as one.

    Attributes:
        prompt: how the prompt is written. question: what is asked.
        counter: of the reader. ceiling: of the rendered prompt. corpus: where sentences are looked up.
        arrange: from best first to reading order.
    """

    prompt: Prompt
    question: Question
    counter: Counter
    ceiling: Ceiling
    corpus: Corpus
    arrange: Arrange

    def fill(self, found: Context) -> Context:
        """The context that is read: passages in reading order, everything else among `dropped` with the reason.

        Raises:
            LimitError: not even one sentence fits.
        """
        taken = self._joined(self._taken(found.passages))
        while taken and self._rendered(taken) > self._most:
            taken = taken[:-1]
        if not taken and found.passages:
            taken = [self._shortest(found.passages)]
            self.ceiling.check(self._rendered(taken))
        unread = tuple(Dropped(span, _OVER) for span in missing(found.spans, [s for p in taken for s in p.spans]))
        return Context(tuple(self.arrange(taken)), (*found.dropped, *unread), found.notes, found.signals)

    def tokens(self, passages: Sequence[Passage]) -> int:
        """Tokens of the rendered prompt with passages in reading order."""
        return self.counter.render(self.prompt.messages(passages, self.question))

    def apart(self, passages: Sequence[Passage]) -> int:
        """Tokens that passages take at most, each with its own heading."""
        return sum(map(self._cost, passages))

    def text_room(self, passages: Sequence[Passage]) -> int:
        """Tokens there are for the passages' texts besides their headings; half the room is never for headings.

        Passages whose headings leave no room are given back in the end, the last ones first.
        """
        room = self._most - self.tokens(())
        return int(max(1, room // 2, room - self.apart([replace(passage, text="") for passage in passages])))

    @property
    def _most(self) -> float:
        return float("inf") if self.ceiling.tokens is None else self.ceiling.tokens

    def _rendered(self, taken: Sequence[Passage]) -> int:
        return self.tokens(self.arrange(taken))

    def _cost(self, passage: Passage) -> int:
        """Tokens a passage adds; the number and the line break are counted at their longest."""
        return self.counter.count(self.prompt.block(99, passage)) + 1

    def _taken(self, ranked: Sequence[Passage]) -> list[Passage]:
        whole = room = self._most - self._rendered([])
        taken: list[Passage] = []
        skipped: list[Passage] = []
        for passage in ranked:
            # Counting takes most of a plan's time; a room that holds no more than a heading needs none.
            cost = self._cost(passage) if room >= HEADING or not taken else HEADING
            if cost <= room:
                taken.append(passage)
                room -= cost
            else:
                skipped.append(passage)
        if skipped and (not taken or room >= whole * _WORTH):
            taken.extend(self._narrowed(skipped[:_TRIED] if taken else skipped, room))
        return taken

    def _joined(self, taken: Sequence[Passage]) -> list[Passage]:
        """Neighbours in a document as one passage, which stands where the best of them stood."""
        rank = {id(passage): number for number, passage in enumerate(taken)}
        runs: list[list[Passage]] = []
        for passage in sorted(taken, key=lambda p: (p.derived or len(p.spans) != 1, p.spans)):
            if runs and self._follows(runs[-1][-1], passage):
                runs[-1].append(passage)
            else:
                runs.append([passage])
        runs.sort(key=lambda run: min(rank[id(passage)] for passage in run))
        return [run[0] if len(run) == 1 else self._whole(run) for run in runs]

    def _follows(self, one: Passage, other: Passage) -> bool:
        if one.derived or other.derived or len(one.spans) != 1 or len(other.spans) != 1:
            return False
        first, then = one.spans[0], other.spans[0]
        return then.start - first.end <= HEADING and self._touch(first, then)

    def _whole(self, run: Sequence[Passage]) -> Passage:
        first, last = run[0].spans[0], run[-1].spans[0]
        scores = [passage.score for passage in run if passage.score is not None]
        span = Span(first.document, first.start, last.end)
        return self.corpus.passage(span, score=max(scores, default=None))

    def _narrowed(self, skipped: Sequence[Passage], room: float) -> list[Passage]:
        """The best of the passages that did not fit, cut down to what does; the next one where it cannot be."""
        for passage in skipped:
            part = None if passage.derived else self._around(passage, room)
            if part is not None:
                return [part]
        return []

    def _around(self, passage: Passage, room: float) -> Passage | None:
        """The best sentence of a passage that fits, with as many of its neighbours as do."""
        sentences = [sentence for span in passage.spans for sentence in self.corpus.sentences(span)]
        texts = [self.corpus.text(sentence) for sentence in sentences]
        asked = content(self.question.text)
        costs = [self.counter.count(text) for text in texts]
        left = room - self._cost(replace(passage, text=""))
        fitting = [i for i in range(len(texts)) if costs[i] <= left]
        for best in sorted(fitting, key=lambda i: (-len(asked & content(texts[i])), i)):
            for reach in _reaches(best, costs, left):
                first, last = self._unbroken(sentences, best, *reach)
                span = Span(sentences[first].document, sentences[first].start, sentences[last].end)
                part = self.corpus.passage(span, score=passage.score)
                if self._cost(part) <= room:
                    return part
        return None

    def _unbroken(self, sentences: Sequence[Span], best: int, first: int, last: int) -> tuple[int, int]:
        """The part of a run around the best sentence with nothing but blanks between: a gap was left out on purpose."""
        start, end = best, best
        while start > first and self._touch(sentences[start - 1], sentences[start]):
            start -= 1
        while end < last and self._touch(sentences[end], sentences[end + 1]):
            end += 1
        return start, end

    def _touch(self, one: Span, other: Span) -> bool:
        if one.document != other.document or one.end > other.start:
            return False
        return not self.corpus.text(Span(one.document, one.end, other.start)).strip()

    def _shortest(self, passages: Sequence[Passage]) -> Passage:
        """The shortest thing that can be read, where nothing was found to fit."""
        whole = [p for p in passages if p.derived or not p.spans]
        spans = [s for p in passages if not p.derived for span in p.spans for s in self.corpus.sentences(span)]
        shortest = [self.corpus.passage(span) for span in sorted(spans, key=len)[:_SHORTEST]]
        return min([*whole, *shortest] or passages, key=self._cost)


def fitted(filler: Filler, found: Context) -> Context:
    """What of the passages fills a prompt; where not one sentence fits, as much of the first as does.

    Raises:
        LimitError: there is no room for some words.
    """
    try:
        return filler.fill(found)
    except LimitError:
        first = next((span for span in found.spans if len(span) > _WORDS), None)
        most = filler.ceiling.tokens
        if first is None or most is None:
            raise
        length = len(first) // 2
        while length >= _WORDS and filler.tokens([cut := _opening(filler, first, length)]) > most:
            length //= 2
        if length < _WORDS:
            raise
        dropped = tuple(Dropped(span, _OVER) for span in missing(found.spans, cut.spans))
        return Context((cut,), (*found.dropped, *dropped), (*found.notes, _CUT), found.signals)


def _opening(filler: Filler, span: Span, length: int) -> Passage:
    return filler.corpus.passage(replace(span, end=span.start + length))


def _reaches(best: int, costs: Sequence[int], room: float) -> list[tuple[int, int]]:
    """(first, last) around the best, the longest run whose costs fit first, then ever shorter ones.

    Example:
        >>> _reaches(1, [3, 2, 4, 9], 10)
        [(0, 2), (1, 2), (1, 1)]
    """
    first = last = best
    runs: list[tuple[int, int]] = []
    left = room - costs[best] if costs else -1
    while left >= 0:
        runs.append((first, last))
        after, before = last + 1, first - 1
        if after < len(costs) and costs[after] <= left:
            last, left = after, left - costs[after]
        elif before >= 0 and costs[before] <= left:
            first, left = before, left - costs[before]
        else:
            break
    return runs[::-1]


def missing(wanted: Iterable[Span], read: Iterable[Span]) -> list[Span]:
    """What of the wanted spans was not read.

    Example:
        >>> missing([Span("a", 0, 10), Span("b", 0, 5)], [Span("a", 2, 4)])
        [Span(document='a', start=0, end=2), Span(document='a', start=4, end=10), Span(document='b', start=0, end=5)]
    """
    covered = sorted(read)
    left: list[Span] = []
    for span in wanted:
        at = span.start
        for other in covered:
            if other.document == span.document and other.start < span.end and other.end > at:
                if other.start > at:
                    left.append(Span(span.document, at, other.start))
                at = max(at, other.end)
        if at < span.end:
            left.append(Span(span.document, at, span.end))
    return left
