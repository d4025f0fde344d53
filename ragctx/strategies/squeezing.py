"""Compresses passages until the whole rendered prompt is as long as it may be, and no longer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ragctx.contracts import Compressor
from ragctx.corpus import Corpus
from ragctx.models import Models
from ragctx.strategies.gathering import joined, unread
from ragctx.strategies.remembering import Memory, remembering
from ragctx.types import Context, Passage, Question
from ragctx.work import Work

# Times a compressor is asked at most. What it asked models before is not asked again.
_ROUNDS = 5
# What may be left of the room, as a share of it: a second try is not worth less.
_SLACK = 0.02
# What may be asked anew to use up the room, as a share of what was asked first.
_ANEW = 0.34
_OVER = "over the token budget"


@dataclass(frozen=True, slots=True)
class Squeezed:
    """What is read.

    Attributes:
        context: passages as the prompt shows them. raw: as the compressor returned them.
        asked: tokens of language models that the compressor's own requests were billed.
    """

    context: Context
    raw: Context
    asked: int = 0


@dataclass(frozen=True, slots=True)
class Squeeze:
    """One question's compression.

    A compressor is given a budget for text alone, and the prompt has a heading for each document as well; how many
    documents are left is known only afterwards. So the headings of all are set aside at first, and what the dropped
    ones leave is given back in a further round. Passages of one document are read as one.

    Attributes:
        compressor: what compresses. question: what is asked, without history. corpus: where the documents are.
        models: facts. most: tokens of the whole rendered prompt.
        tokens: counts the rendered prompt of passages.
    """

    compressor: Compressor
    question: Question
    corpus: Corpus
    models: Models
    most: int
    tokens: Callable[[Sequence[Passage]], int]

    def run(self, source: Context) -> Work[Squeezed]:
        """As much of the source as the prompt holds; no passage where the compressor leaves none.

        Args:
            source: passages in the order in which the compressor is to see them.
        """
        memory, longest = Memory(), -1
        best = last = Squeezed(Context(), Context())
        spare = max(4.0, _SLACK * (self.most - self.tokens(())))
        budget = self._first(source)
        for _ in range(_ROUNDS):
            allowed = None if longest < 0 else int(_ANEW * memory.asked)
            work = self.compressor.compress(self.question, source, budget, self.models)
            raw = yield from remembering(work, memory, allowed)
            if raw is None:
                break
            last = Squeezed(self._shown(source, raw), raw)
            spent = self.tokens(last.context.passages)
            left = self.most - spent
            if spent == longest or (left < 0 and not budget):
                break
            if longest < spent <= self.most:
                best, longest = last, spent
            if 0 <= left <= spare:
                break
            budget = max(0, budget + left)
        chosen = best if longest >= 0 else Squeezed(self._fewer(source, last.context), last.raw)
        return replace(chosen, asked=memory.billed)

    def _first(self, source: Context) -> int:
        """Tokens for the text alone, every document's heading set aside; never less than half for the text."""
        room = self.most - self.tokens(())
        bare = [replace(passage, text="") for passage in joined(source.passages, self.corpus)]
        return max(1, room // 2, self.most - self.tokens(bare))

    def _shown(self, source: Context, raw: Context) -> Context:
        passages = joined((passage for passage in raw.passages if passage.text.strip()), self.corpus)
        return replace(raw, passages=passages, notes=tuple(dict.fromkeys((*source.notes, *raw.notes))))

    def _fewer(self, source: Context, shown: Context) -> Context:
        """Without the shortest passages, as long as it is too much: their headings alone are."""
        passages = list(shown.passages)
        while passages and self.tokens(passages) > self.most:
            passages.remove(min(passages, key=lambda passage: len(passage.text)))
        lost = unread(source, passages, shown.dropped, _OVER)
        return replace(shown, passages=tuple(passages), dropped=(*shown.dropped, *lost))
