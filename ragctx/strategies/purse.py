"""What a question may still spend, kept by a strategy with several calls, and asked before each of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from ragctx.errors import BudgetSpent
from ragctx.models import ModelFacts
from ragctx.strategies.standalone import Asked
from ragctx.types import Question
from ragctx.work import Completion, Failure


@dataclass(slots=True)
class Purse:
    """The budget of one question in tokens and calls, and the window of the model that is asked.

    The engine keeps the same account, and money and seconds besides, and throws `BudgetSpent` into a work that asks for
    too much. A purse lets a work see that coming: fixed strategies refuse before the first call, others finish in time.

    Attributes:
        facts: of the model that is asked, where a call names no other.
        tokens: most tokens over all calls. calls: most calls. None means no ceiling.
        spent: tokens billed. made: calls made.

    Example:
        >>> from ragctx.types import Budget
        >>> purse = Purse.of(Question("Why?", budget=Budget(tokens=100, calls=2)), ModelFacts("m", window=80))
        >>> purse.paid(Completion("Because.", prompt_tokens=30, output_tokens=10))
        >>> purse.left(), purse.allows(40, 20), purse.allows(40, 20, aside=10), purse.allows(60, 30)
        (60, True, False, False)
    """

    facts: ModelFacts
    tokens: int | None = None
    calls: int | None = None
    spent: int = 0
    made: int = 0

    @classmethod
    def of(cls, question: Question, facts: ModelFacts) -> Self:
        """The purse of a question that nothing was spent on."""
        budget = question.budget
        return cls(facts, budget.tokens if budget else None, budget.calls if budget else None)

    @classmethod
    def after(cls, asked: Asked, facts: ModelFacts) -> Self:
        """The purse of a question that may have been made standalone, which was a call."""
        purse = cls.of(asked.question, facts)
        purse.spent, purse.made = asked.spent, int(bool(asked.notes))
        return purse

    def paid(self, reply: Completion | Failure) -> None:
        """Book a call that was made; a failed one may have been billed as well."""
        self.spent += reply.prompt_tokens + reply.output_tokens
        self.made += 1

    def left(self) -> int | None:
        """Tokens that are left, not below zero; None where there is no ceiling."""
        return None if self.tokens is None else max(0, self.tokens - self.spent)

    def calls_left(self) -> int | None:
        """Calls that are left; None where there is no ceiling."""
        return None if self.calls is None else max(0, self.calls - self.made)

    def allows(self, prompt: int, output: int, *, aside: int = 0, facts: ModelFacts | None = None) -> bool:
        """Whether a call may be made.

        Args:
            prompt: tokens of the rendered prompt.
            output: tokens it may write.
            aside: tokens that are kept for a last call, and one call with them.
            facts: of the model, where it is another.
        """
        window = (facts or self.facts).window
        fits = window is None or prompt + output <= window
        return fits and self._short([(prompt, output)], aside) is None

    def check(self, prompt: int, output: int, *, facts: ModelFacts | None = None) -> None:
        """Refuse a call that window or budget does not hold, before it is made.

        Raises:
            DoesNotFit: the window is too small. BudgetSpent: the question's budget is.
        """
        (facts or self.facts).must_fit(prompt, output)
        self.check_all([(prompt, output)])

    def check_all(self, bill: Iterable[tuple[int, int]]) -> None:
        """Refuse calls whose sum the budget does not hold; windows are looked at call by call, in `check`.

        Args:
            bill: (prompt, output) tokens of each call, at most.

        Raises:
            BudgetSpent: with the numbers.
        """
        short = self._short(list(bill), 0)
        if short is not None:
            raise short

    def _short(self, bill: list[tuple[int, int]], aside: int) -> BudgetSpent | None:
        needs, left = sum(map(sum, bill)) + aside, self.left()
        if left is not None and needs > left:
            return BudgetSpent("tokens", needs, left)
        calls, still = len(bill) + (aside > 0), self.calls_left()
        return BudgetSpent("calls", calls, still) if still is not None and calls > still else None
