"""How long a prompt may be, and the refusal when it is longer: always before the call, always with the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from itertools import islice
from typing import NoReturn

from ragctx.corpus import Corpus
from ragctx.errors import BadQuestion, BudgetSpent, ConfigError, DoesNotFit, LimitError
from ragctx.models import ModelFacts
from ragctx.types import Question, Where

# Names that are looked at, and shown, for a filter that names none of them.
_NAMES, _SHOWN = 5000, 3


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most prompt tokens, whichever of window, budget and option allows least.

    Attributes:
        tokens: None where nothing limits the prompt.
        output: tokens kept free for the answer.
        by: what sets the ceiling.
        model: name of the model.
        bare: tokens of a prompt without passages, where an option speaks of the passages alone.
    """

    tokens: int | None
    output: int
    by: str = ""
    model: str = ""
    bare: int = 0

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

    def lowered(self, tokens: int, by: str, bare: int = 0) -> Ceiling:
        """This ceiling or a lower one."""
        if self.tokens is not None and self.tokens <= tokens:
            return self
        return Ceiling(tokens, self.output, by, self.model, bare)

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
            f"the shortest sentence found takes {prompt - self.bare:,} tokens with its heading, {self.by} allows "
            f"{most - self.bare:,}: raise it"
        )


def output_tokens(facts: ModelFacts, wanted: int) -> int:
    """How many tokens the answer may have: what is wanted, or less where the model writes less.

    Raises:
        ConfigError: it writes nothing at all.
    """
    if "Generate" not in facts.kinds:
        raise ConfigError(
            f"no model here writes ({facts.name} only reads): pip install 'ragctx[local]', or name a reader that does, "
            "e.g. openai:MODEL@BASE_URL"
        )
    return wanted if facts.max_output is None else min(wanted, facts.max_output)


def readable(question: Question, corpus: Corpus) -> Corpus:
    """What of a corpus a question may read.

    Raises:
        BadQuestion: its filter leaves nothing.
    """
    if question.where is None:
        return corpus
    view = corpus.select(question.where)
    if not len(view.documents):
        said = _conditions(question.where)
        raise BadQuestion(
            f"question {question.id}: its filter ({said}) admits no document: {_remedy(question, corpus)}"
        )
    return view


def _conditions(where: Where) -> str:
    """A filter in words.

    Example:
        >>> _conditions(Where(documents=("*.pdf",), metadata={"year": 2020}, pages=(1, 3)))
        "documents '*.pdf'; year = 2020; pages 1-3"
    """
    names = f"documents {', '.join(map(repr, where.documents))}" if where.documents else ""
    stated = (f"{key} = {value!r}" for key, value in where.metadata.items())
    pages = f"pages {where.pages[0]}-{where.pages[1]}" if where.pages else ""
    return "; ".join(part for part in (names, *stated, pages) if part)


def _remedy(question: Question, corpus: Corpus) -> str:
    """What to change: the names where no document has such a one, else the other conditions."""
    where = question.where or Where()
    if where.documents and not len(corpus.select(Where(documents=where.documents)).documents):
        names = [document.id for document in islice(corpus.documents, _NAMES)]
        near = _near(where.documents, names)
        return f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are {_listed(names)}"
    if where.pages and not any(document.pages for document in islice(corpus.documents, _NAMES)):
        return "these documents have no pages, leave the pages out"
    return "widen it"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more


def _near(patterns: Sequence[str], names: Sequence[str]) -> list[str]:
    """Names like the patterns: equal but for case or folders first, then those spelt much alike."""
    found: dict[str, None] = {}
    lower = {name.casefold(): name for name in names}
    for pattern in (pattern.casefold() for pattern in patterns):
        plain = pattern.replace("*", "").replace("?", "").strip("/")
        found |= dict.fromkeys(lower[n] for n in lower if fnmatchcase(n, f"*{pattern}") or (plain and plain in n))
        found |= dict.fromkeys(lower[n] for n in get_close_matches(plain, lower, n=_SHOWN, cutoff=0.5))
    return list(found)[:_SHOWN]
