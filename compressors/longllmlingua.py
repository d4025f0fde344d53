"""LongLLMLingua: compresses to the tokens that a question makes likelier, in the documents that make it likelier.

The method is Jiang et al.'s (ACL 2024, arXiv:2310.06839), written anew on token ids, with the place of every kept token
in its source.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

from ragctx.compressors import allocation, contrast
from ragctx.compressors.choosing import all_or_nothing, common_share, enough, fits, reasons, shares
from ragctx.compressors.fitting import fit, narrowed
from ragctx.compressors.forced import Rules
from ragctx.compressors.likelihood import Asked, Ranked, ranked
from ragctx.compressors.ordering import arranged, in_order
from ragctx.compressors.recovery import recovered
from ragctx.compressors.scorer import Scorer
from ragctx.compressors.sections import renumbered, sections_of
from ragctx.compressors.tokens import Token, tokens_of
from ragctx.errors import ConfigError
from ragctx.models import Models
from ragctx.types import Context, Line, Question, Range
from ragctx.work import Work

Form = Literal["fast", "iterative"]
Order = Literal["relevance", "given", "ends"]
STATEMENT = "What is needed to answer this stands in the text above."


@dataclass(frozen=True, slots=True)
class LongLLMLingua:
    """Keeps exactly as many tokens as the budget holds: those that the question makes likelier.

    1. Documents are ranked by how likely each makes the question, followed by a statement that the answer is there.
    2. The best are kept until they hold the budget and `coarse` tokens more.
    3. They are put in order, so that what matters most is not in the middle.
    4. The better a document ranks, the larger the share of it that is kept: `dynamic` more than the common share for
       the best, as much less for the last.
    5. Of each document the tokens stay whose log-probability rises most when the question stands before the text.

    The two forms differ in what stands before a token when it is weighed. "iterative" is the paper's: segment after
    segment, each after what was kept of everything before it, with and without the question. "fast" weighs each
    document by itself, all of them at once, and takes the scores without the question from the pass that ranked them.
    What was kept before a segment is told from shares of the text; which tokens stay in the end is settled when the
    budget is counted, so the two may differ by a few.

    A number goes like any other word, and often sooner, as no question makes its digits likely: set `numbers` where
    figures are asked for. Of tables and code there are words left that have lost their row: sentence-wise compressors
    ("provence", "bm25-sentences") keep those whole.

    Whole words are kept or left out, since half a word or number says something else; `words=False` takes the
    tokenizer's pieces, as the paper does. A passage longer than `section` is ranked and compressed in parts. What fits
    is returned as it came, and nothing is asked.

    Attributes:
        form: "fast" or "iterative".
        coarse: tokens that documents may hold above the budget before words are dropped; more of it means more
            documents, each thinned out further.
        dynamic: 0 to 1; by how much the best and the last document's shares differ from the common one.
        order: "relevance" (best first), "ends" (best at both ends), "given".
        numbers: keep every number of the documents that are kept. patterns: likewise what these expressions match.
        statement: the restrictive statement, one sentence. framed: text and question begin lines that say what they
            are, which ranks what answers higher; the `llmlingua` package joins them without.
        words: keep or leave out whole words.
        segment: tokens that the iterative form compresses at a time.
        section: most tokens that are ranked as one document.
        role: who scores.

    Raises:
        ConfigError: an option makes no sense, or nobody scores.

    Example:
        >>> from ragctx.models import ModelFacts
        >>> from ragctx.readers.scripted import Scripted
        >>> from ragctx.types import Passage, Span
        >>> from ragctx.work import run
        >>> scorer = Scripted()
        >>> models = Models({"reader": scorer.facts, "scorer": scorer.facts})
        >>> text = "The rent of the wharf is ten crowns a month, due on the first day."
        >>> context = Context((Passage(text, (Span("lease", 0, len(text)),)),))
        >>> work = LongLLMLingua().compress(Question("What is the rent?"), context, 6, models)
        >>> found = run(work, lambda requests: scorer.serve(requests, print))
        >>> scorer.facts.counter.count(found.passages[0].text)
        6
    """

    name: ClassVar[str] = "longllmlingua"

    form: Form = "fast"
    coarse: int = 100
    dynamic: float = 0.3
    order: Order = "relevance"
    numbers: bool = False
    patterns: Sequence[str] = ()
    statement: str = STATEMENT
    framed: bool = True
    words: bool = True
    segment: int = 200
    section: int = 512
    role: str = "scorer"
    _rules: Rules = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, value, known in (("form", self.form, get_args(Form)), ("order", self.order, get_args(Order))):
            if value not in known:
                raise ConfigError(f"no {name} is called {value!r}: there are {', '.join(known)}")
        if not 0 <= self.dynamic <= 1:
            raise ConfigError(f"dynamic={self.dynamic} is no share: give 0 to 1")
        if self.coarse < 0 or self.segment < 1 or self.section < 1:
            raise ConfigError("longllmlingua needs coarse of at least 0, segment and section of at least 1")
        object.__setattr__(self, "_rules", Rules.of(self.numbers, self.patterns))

    def compress(self, question: Question, context: Context, budget: int, models: Models) -> Work[Context]:
        """A context of at most `budget` tokens by the reader's counter, of those that the question makes likelier.

        Raises:
            ConfigError: nobody plays the role of the scorer, or it cannot score.
            DoesNotFit: the question takes all of the scorer's window.
        """
        counter = models.reader.counter
        if budget <= 0 or fits(context.passages, counter, budget):
            return all_or_nothing(context, budget)
        scorer = Scorer.of(models, self.role)
        asked = Asked.of(question.text, self.statement, scorer, framed=self.framed)
        tokens = tokens_of(context.passages, scorer.pieces, rules=self._rules, words=self.words)
        sections = sections_of(tokens, scorer.room(asked.taken, self.section))
        # 1. How likely does each document make the question?
        found = yield from ranked(sections, asked, scorer, plain=self.form == "fast")
        # 2. The best ones, until there is somewhat more than the budget holds.
        chosen = enough(found, context.passages, counter, budget + self.coarse)
        # 3. What matters most is not to be in the middle.
        places = arranged(chosen, len(context.passages), self.order)
        # 4., 5. The better a document the more of it, and of each the tokens that the question makes likelier.
        share = common_share(chosen, context.passages, counter, budget)
        wanted = yield from self._wanted(chosen, places, share, asked, scorer)
        passages = in_order(context.passages, places, found, self.order)
        kept = fit(passages, renumbered(wanted, places), counter, budget)
        return narrowed(context, passages, kept, reasons(found, places), signals=shares(passages, kept))

    def recover(self, answer: str, before: Context, kept: Context) -> str:
        """The answer with what it copied from the kept text put as the whole text has it; see `recovered`."""
        return recovered(answer, before, kept)

    def estimate(
        self, context_tokens: int, passages: int, question_tokens: int, budget: int, models: Models
    ) -> tuple[Line, ...]:
        """The scorer's line: it reads everything once with the question, and what is kept of it again."""
        if context_tokens <= budget or budget <= 0:
            return ()
        pieces = max(passages, 1) + context_tokens // self.section
        held = min(context_tokens, budget + self.coarse + context_tokens / pieces / 2)
        each = question_tokens + 2 * models.reader.counter.count(self.statement)
        ranking, again = context_tokens + pieces * each, math.ceil(pieces * held / context_tokens)
        if self.form == "fast":
            prompt, calls = ranking + held + again * each, pieces + again
        else:
            steps = max(again, math.ceil(held / self.segment))
            prompt, calls = ranking + 2 * held + steps * (each + budget), pieces + 2 * steps
        return (Line(self.role, Range(0.7 * prompt, prompt, 1.5 * prompt), Range.exactly(0), _about(calls)),)

    def _wanted(
        self, chosen: Sequence[Ranked], places: Sequence[int], share: float, asked: Asked, scorer: Scorer
    ) -> Work[list[Token]]:
        """The tokens of the chosen sections, most wanted first."""
        shifts = allocation.offsets(len(chosen), self.dynamic)
        if self.form == "fast":
            return allocation.preferred((yield from contrast.at_once(chosen, asked, scorer)), shifts)
        reading = sorted(range(len(chosen)), key=lambda rank: _reading_place(chosen[rank], places))
        each = [min(1.0, max(0.0, share + shifts[rank])) for rank in reading]
        weighed = yield from contrast.one_by_one(
            [chosen[rank] for rank in reading], each, self.segment, asked, scorer
        )  # fmt: skip
        by_rank = sorted(zip(reading, weighed, strict=True), key=lambda pair: pair[0])
        parts = [(segment, shifts[rank]) for rank, segments in by_rank for segment in segments]
        return allocation.preferred([segment for segment, _ in parts], [shift for _, shift in parts])


def _reading_place(one: Ranked, places: Sequence[int]) -> tuple[int, int]:
    return places.index(one.section.passage), one.section.place[0]


def _about(calls: float) -> Range:
    return Range(math.floor(0.7 * calls), math.ceil(calls), math.ceil(1.5 * calls))
