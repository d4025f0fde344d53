"""The PyPI package `llmlingua` behind our contract, for people who use it. Needs the extra `llmlingua`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from ragctx.compressors.fitting import fit, narrowed
from ragctx.compressors.recovery import recovered
from ragctx.compressors.tokens import Token
from ragctx.errors import ConfigError, RequestFailed
from ragctx.models import Models
from ragctx.types import Context, Line, Question
from ragctx.work import Work

if TYPE_CHECKING:
    from ragctx.compressors.llmlingua_patched import Package

Method = Literal["longllmlingua", "llmlingua"]
# What the papers do, where the package's own defaults do less.
_PAPERS: Mapping[Method, Mapping[str, Any]] = {
    "longllmlingua": {
        "rank_method": "longllmlingua",
        "condition_in_question": "after_condition",
        "reorder_context": "sort",
        "dynamic_context_compression_ratio": 0.3,
        "condition_compare": True,
        "context_budget": "+100",
    },
    "llmlingua": {"rank_method": "llmlingua"},
}
_OWN = frozenset({"context", "question", "target_token", "rate", "concate_question", "instruction", "keep_split"})
_SUM = re.compile(r"[+\-*/]\d{1,6}(\.\d{1,6})?", re.ASCII)
_REASON = "dropped by the llmlingua package"


@dataclass(frozen=True, slots=True)
class LLMLinguaPackage:
    """Lets the package `llmlingua` (0.2.2) choose the tokens, and holds it to the budget.

    Its output is mapped back to places in the source token by token, so that citations hold; and what it leaves over
    the budget, which it often does, is cut from the end. Its model is its own: it is loaded here, from a folder or a
    hub, is none of the pipeline's roles, and is in no plan. Our own "longllmlingua" does the same faster.

    Attributes:
        model: folder or hub name of a causal language model. device: "cpu", "cuda" or "mps".
        method: "longllmlingua" (goes by the question) or "llmlingua".
        options: further arguments of the package's `compress_prompt`, in place of those of the papers.

    Raises:
        ConfigError: an option makes no sense.

    Example:
        >>> from ragctx.models import ModelFacts
        >>> from ragctx.types import Passage
        >>> from ragctx.work import run
        >>> models = Models({"reader": ModelFacts("m")})
        >>> short = Context((Passage("The rent is ten.", ()),))
        >>> run(LLMLinguaPackage("models/any").compress(Question("What is it?"), short, 90, models)) == short
        True
    """

    name: ClassVar[str] = "llmlingua"

    model: str = ""
    device: str = "cpu"
    method: Method = "longllmlingua"
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise ConfigError(f"no method is called {self.method!r}: there are {', '.join(get_args(Method))}")
        if own := sorted(_OWN & set(self.options)):
            raise ConfigError(f"llmlingua is given {', '.join(own)} by ragctx: leave it out of options")
        more = self.options.get("context_budget", "+0")
        if not (isinstance(more, str) and _SUM.fullmatch(more)):
            raise ConfigError(
                f"context_budget={more!r}: the package runs it as code; give a sign and a number, as '+100'"
            )

    def recover(self, answer: str, before: Context, kept: Context) -> str:
        """The answer with what it copied from the kept text put as the whole text has it; see `recovered`."""
        return recovered(answer, before, kept)

    def estimate(
        self, context_tokens: int, passages: int, question_tokens: int, budget: int, models: Models
    ) -> tuple[Line, ...]:
        """No role of the pipeline is asked."""
        return ()

    def compress(self, question: Question, context: Context, budget: int, models: Models) -> Work[Context]:
        """What the package keeps, as far as the budget holds it.

        Raises:
            ConfigError: no model is named. MissingExtra: the package is not installed.
            RequestFailed: the package fell over.
        """
        yield from ()
        counter = models.reader.counter
        visible = [number for number, passage in enumerate(context.passages) if passage.text.strip()]
        given = [context.passages[number] for number in visible]
        whole = "\n\n".join(passage.text for passage in given)
        everything = counter.count(whole)
        if everything <= budget and len(given) == len(context.passages):
            return context
        if not given or budget <= 0 or everything <= budget:
            kept = [[(0, len(p.text))] if p.text.strip() and budget > 0 else [] for p in context.passages]
            return narrowed(context, context.passages, kept, lambda number, all_of_it: "no token is left for it")
        taken = self._kept(question, [passage.text for passage in given], whole, budget / everything)
        order = [visible[number] for number, _ in taken]
        rest = [number for number in range(len(context.passages)) if number not in set(order)]
        passages = [context.passages[number] for number in (*order, *rest)]
        wanted = [Token(place, start, end) for place, (_, spots) in enumerate(taken) for start, end in spots]
        ranges = fit(passages, wanted, counter, budget)
        return narrowed(context, passages, ranges, lambda number, all_of_it: _REASON)

    def _kept(
        self, question: Question, texts: list[str], whole: str, share: float
    ) -> list[tuple[int, list[tuple[int, int]]]]:
        if not self.model:
            raise ConfigError("llmlingua needs a model: LLMLinguaPackage(model=FOLDER), a causal language model")
        package = opened(self.model, self.device)
        target = max(1, int(share * package.count(whole)))
        try:
            return package.kept(texts, question.text, target, {**_PAPERS[self.method], **self.options})
        except (RuntimeError, IndexError, ValueError, TypeError, AssertionError) as error:
            raise RequestFailed("crashed", f"llmlingua fell over ({error}): compress with 'longllmlingua'") from error


@cache
def opened(model: str, device: str) -> Package:
    """The model, loaded once."""
    from ragctx.compressors.llmlingua_patched import Package

    return Package(model, device)
