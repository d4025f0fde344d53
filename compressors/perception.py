"""Perception Compressor: documents ranked by the question and by what else one would ask, tokens kept in two slopes.

The method is Tang et al.'s (Findings of NAACL 2025, arXiv:2409.19272), written anew on token ids, with the place of
every kept token in its source.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import numpy as np

from ragctx.compressors import allocation, semi_guided
from ragctx.compressors.choosing import all_or_nothing, common_share, enough, fits, reasons, shares
from ragctx.compressors.fitting import fit, narrowed
from ragctx.compressors.forced import Rules
from ragctx.compressors.guiding import Guide, guides, lines, weighted
from ragctx.compressors.likelihood import Asked, Ranked
from ragctx.compressors.ordering import arranged, in_order
from ragctx.compressors.recovery import recovered
from ragctx.compressors.scorer import Scorer, logprobs, logprobs_before
from ragctx.compressors.sections import Section, renumbered, sections_of
from ragctx.compressors.semi_guided import Mixing
from ragctx.compressors.tokens import tokens_of
from ragctx.errors import ConfigError
from ragctx.models import Models
from ragctx.types import Context, Line, Question, Range
from ragctx.types.costs import ZERO
from ragctx.work import Work

Form = Literal["fast", "iterative"]
Order = Literal["relevance", "given", "ends"]
Others = Literal["rare", "likely"]
STATEMENT = "What is needed to answer this stands in the text above."


@dataclass(frozen=True, slots=True)
class PerceptionCompressor:
    """Keeps exactly as many tokens as the budget holds, nearly all of them of the documents that matter.

    1. The reader writes a few guiding questions, without seeing a document; an encoder says how near each is to the
       question, and so how much it counts. Without an encoder they count alike, and a note says so.
    2. Documents are ranked by how likely each makes the question and the guiding questions, weighted.
    3. The best are kept until they hold `coarse` times the budget: with 1, words go only of what lies over it.
    4. First slope: the better a segment's document ranks, the larger the share of it that is kept, `slope` more than
       the common share for the first segment, as much less for the last.
    5. Of what is kept of a segment, the share `guided` are tokens that the question makes likelier, and the rest are
       those that say most by themselves. Second slope: `guided_slope` more than that share in the first segment, as
       much less in the last.

    Form "iterative" is the paper's: each segment is weighed after what was kept of those before it, with and without
    the question. "fast" weighs each document by itself, all at once, and takes the scores without the question from
    the pass that ranked them. Numbers, tables and code fare as in "longllmlingua": `numbers` keeps figures.

    Attributes:
        form: "fast" or "iterative".
        guides: guiding questions that are used; 0 ranks by the question alone and asks no reader.
        coarse: 1 or more.
        slope, guided, guided_slope: 0 to 1.
        others: what stays beside what the question decides: "rare" tokens, which nothing before them made likely, or
            "likely" ones, which hold the text together.
        order: "relevance" (best first), "ends" (best at both ends), "given".
        numbers: keep every number of the documents that are kept. patterns: likewise what these expressions match.
        statement: the restrictive statement, one sentence.
        words: keep or leave out whole words.
        segment: tokens that have one share.
        section: most tokens that are ranked as one document.
        role: who scores.

    Raises:
        ConfigError: an option makes no sense, or nobody scores.

    Example:
        >>> from ragctx.readers.scripted import Scripted
        >>> from ragctx.types import Passage, Span
        >>> from ragctx.work import run
        >>> model = Scripted(default="Who pays the rent?")
        >>> models = Models({"reader": model.facts, "scorer": model.facts, "encoder": model.facts})
        >>> text = "The rent of the wharf is ten crowns a month, due on the first day."
        >>> context = Context((Passage(text, (Span("lease", 0, len(text)),)),))
        >>> work = PerceptionCompressor().compress(Question("What is the rent?"), context, 6, models)
        >>> found = run(work, lambda requests: model.serve(requests, lambda i, text: None))
        >>> model.facts.counter.count(found.passages[0].text)
        6
    """

    name: ClassVar[str] = "perception"

    form: Form = "fast"
    guides: int = 3
    coarse: float = 1.0
    slope: float = 0.4
    guided: float = 0.2
    guided_slope: float = 0.1
    others: Others = "rare"
    order: Order = "relevance"
    numbers: bool = False
    patterns: Sequence[str] = ()
    statement: str = STATEMENT
    words: bool = True
    segment: int = 200
    section: int = 512
    role: str = "scorer"
    _rules: Rules = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, known in (("form", Form), ("order", Order), ("others", Others)):
            if getattr(self, name) not in get_args(known):
                raise ConfigError(
                    f"no {name} is called {getattr(self, name)!r}: there are {', '.join(get_args(known))}"
                )
        for name in ("slope", "guided", "guided_slope"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name}={getattr(self, name)} is no share: give 0 to 1")
        if self.coarse < 1 or self.guides < 0 or self.segment < 1 or self.section < 1:
            raise ConfigError("perception needs coarse, segment and section of at least 1, and guides of at least 0")
        object.__setattr__(self, "_rules", Rules.of(self.numbers, self.patterns))

    def compress(self, question: Question, context: Context, budget: int, models: Models) -> Work[Context]:
        """A context of at most `budget` tokens by the reader's counter, of the documents that matter.

        Raises:
            ConfigError: nobody plays the role of the scorer, or it cannot score.
            DoesNotFit: the question takes all of the scorer's window.
        """
        counter = models.reader.counter
        if budget <= 0 or fits(context.passages, counter, budget):
            return all_or_nothing(context, budget)
        scorer = Scorer.of(models, self.role)
        tokens = tokens_of(context.passages, scorer.pieces, rules=self._rules, words=self.words)
        asking, notes = yield from guides(question.text, self.guides, models)
        asked = [Asked.of(guide.text, self.statement, scorer) for guide in asking]
        sections = sections_of(tokens, scorer.room(max(one.taken for one in asked), self.section))
        found = yield from perceived(sections, asking, asked, scorer, plain=self.form == "fast")
        chosen = enough(found, context.passages, counter, math.ceil(self.coarse * budget))
        places = arranged(chosen, len(context.passages), self.order)
        share = common_share(chosen, context.passages, counter, budget)
        mixing = Mixing(self.guided, self.guided_slope, self.others == "rare", self.segment)
        if self.form == "fast":
            weighed = yield from semi_guided.at_once(chosen, mixing, asked[0], scorer)
        else:
            weighed = yield from semi_guided.one_by_one(chosen, mixing, share, self.slope, asked[0], scorer)
        wanted = allocation.preferred(weighed, allocation.offsets(len(weighed), self.slope))
        passages = in_order(context.passages, places, found, self.order)
        kept = fit(passages, renumbered(wanted, places), counter, budget)
        told = {**shares(passages, kept), "guides": float(len(asking) - 1)}
        return narrowed(context, passages, kept, reasons(found, places), notes=notes, signals=told)

    def recover(self, answer: str, before: Context, kept: Context) -> str:
        """The answer with what it copied from the kept text put as the whole text has it; see `recovered`."""
        return recovered(answer, before, kept)

    def estimate(
        self, context_tokens: int, passages: int, question_tokens: int, budget: int, models: Models
    ) -> tuple[Line, ...]:
        """The reader writes questions once; the scorer reads everything with each of them, and what is kept again."""
        if context_tokens <= budget or budget <= 0:
            return ()
        asked = 1 + (self.guides if models.can("reader", "Generate") else 0)
        pieces = max(passages, 1) + context_tokens // self.section
        held = min(context_tokens, self.coarse * budget + context_tokens / pieces / 2)
        each = question_tokens + 2 * models.reader.counter.count(self.statement)
        prompt, calls = float(asked * (context_tokens + pieces * each)), asked * pieces
        again = math.ceil(pieces * held / context_tokens)
        if self.form == "fast":
            prompt, calls = prompt + held + again * each, calls + again
        else:
            steps = max(again, math.ceil(held / self.segment))
            prompt, calls = prompt + 2 * held + steps * (each + budget), calls + 2 * steps
        low = 0.7 / asked  # one question alone, where the reader writes no other
        about = Range(math.floor(low * calls), calls, math.ceil(1.5 * calls))
        scoring = Line(self.role, Range(low * prompt, prompt, 1.5 * prompt), ZERO, about)
        return (*lines(self.guides, question_tokens, models), scoring)


def perceived(
    sections: Sequence[Section], asking: Sequence[Guide], asked: Sequence[Asked], scorer: Scorer, *, plain: bool
) -> Work[list[Ranked]]:
    """Sections by how likely they make all the questions, the most relevant first; of equals the earlier first.

    All is asked at once, a section's questions side by side: they share what stands before them.

    Args:
        sections: in the order of the text.
        asking: the questions with their weights, that of the user first.
        asked: the same in the scorer's ids.
        scorer: who is asked.
        plain: ask for the sections' own log-probabilities too: the first question's pass yields them.
    """
    requests = [
        scorer.score((*one.text, *section.ids, *one.turn), one.behind, "rank", whole=plain and not number)
        for section in sections
        for number, one in enumerate(asked)
    ]
    replies = yield requests
    found, step = [], len(asked)
    for place, section in enumerate(sections):
        some = slice(place * step, (place + 1) * step)
        pairs = list(zip(requests[some], replies[some], strict=True))
        start = len(asked[0].text)
        own = logprobs_before(*pairs[0])[start : start + len(section.ids)] if plain else np.empty(0)
        means = [float(logprobs(*pair).mean()) for pair in pairs]
        found.append(Ranked(section, weighted(means, asking), own))
    return sorted(found, key=lambda one: -one.relevance)
