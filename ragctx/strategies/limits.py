"""How long a prompt may be, and the refusal when it is longer: always before the call, always with the numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from ragctx.corpus import Corpus
from ragctx.errors import BadQuestion, BudgetSpent, DoesNotFit, LimitError
from ragctx.models import ModelFacts
from ragctx.types import Question


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most prompt tokens, whichever of window, budget and option allows least.

    Attributes:
        tokens: None where nothing limits the prompt.
        output: tokens kept free for the answer.
        by: what sets the ceiling.
        model: name of the model.
    """

    tokens: int | None
    output: int
    by: str = ""
    model: str = ""

    @classmethod
    def of(cls, facts: ModelFacts, output: int, question: Question, spent: int = 0) -> Ceiling:
        """The ceiling of one call.

        Args:
            facts: of the model.
            output: tokens it may write.
            question: its budget counts.
            spent: tokens the question was billed before.
        """
        ceiling = cls(None, output, model=facts.name)
        if facts.window is not None:
            ceiling = ceiling.lowered(facts.window - output, "window")
        if question.budget is not None and question.budget.tokens is not None:
            ceiling = ceiling.lowered(question.budget.tokens - spent - output, "budget")
        return ceiling

    def lowered(self, tokens: int, by: str) -> Ceiling:
        """This ceiling or a lower one."""
        if self.tokens is not None and self.tokens <= tokens:
            return self
        return Ceiling(tokens, self.output, by, self.model)

    def check(self, prompt: int) -> None:
        """Refuse a prompt over the ceiling.

        Raises:
            LimitError: `DoesNotFit` for the window, `BudgetSpent` for the question's budget.
        """
        if self.tokens is not None and prompt > self.tokens:
            self.refuse(prompt)

    def refuse(self, prompt: int) -> NoReturn:
        """Say what is needed and what there is.

        Raises:
            LimitError: always.
        """
        most = self.tokens or 0
        if self.by == "window":
            raise DoesNotFit(self.model, prompt + self.output, most + self.output)
        if self.by == "budget":
            raise BudgetSpent("tokens", prompt + self.output, max(0, most + self.output))
        raise LimitError(
            f"the shortest prompt that reads anything has {prompt:,} tokens, {self.by} allows {most:,}: raise it"
        )


def output_tokens(facts: ModelFacts, wanted: int) -> int:
    """How many tokens the answer may have: what is wanted, or less where the model writes less."""
    return wanted if facts.max_output is None else min(wanted, facts.max_output)


def readable(question: Question, corpus: Corpus) -> Corpus:
    """What of a corpus a question may read.

    Raises:
        BadQuestion: its filter leaves nothing.
    """
    view = corpus if question.where is None else corpus.select(question.where)
    if not len(view.documents):
        raise BadQuestion(f"question {question.id}: its filter {question.where} admits no document: widen it")
    return view
