"""Keeps the sentences whose embeddings are most like the question's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ragctx.compressors.sentence_filter import Divided, Rule
from ragctx.compressors.vectors import rows
from ragctx.errors import ConfigError
from ragctx.models import Models
from ragctx.types import Context, Line, Question, Range
from ragctx.types.costs import ZERO
from ragctx.work import Embed, Work

# An encoder may count so many fewer or more tokens than the reader does.
_FEWER, _MORE = 0.5, 1.5
_REMEDY = "name one, e.g. Pipeline.over(..., encoder='sentence-transformers:all-minilm-l6-v2')"


@dataclass(frozen=True, slots=True)
class EmbeddingSentences:
    """Ranks the sentences of all passages by cosine likeness to the question and keeps the best in their order.

    Each sentence is embedded by itself, each passage in a request of its own and without the question, so that an
    engine which remembers vectors (by default none does) makes them once for all questions. Where everything fits,
    nobody is asked. What it cannot see is what a sentence means only beside its neighbours ("It is due in May."). A
    sentence that is longer than the whole budget is weighed in parts, so that one of them stays.

    Attributes:
        threshold: keep sentences at least so like the question (cosine, 0 to 1; which one is good depends on the
            encoder), and no others; None: as many as the budget holds.
        keep_title: keep the headings above what is kept, where they fit too.

    Raises:
        ConfigError: the threshold makes no sense, or no model plays the role "encoder".
        RequestFailed: the encoder sent vectors that are no numbers.

    Example:
        >>> from ragctx.models import ModelFacts
        >>> from ragctx.readers.scripted import Scripted
        >>> from ragctx.types import Passage, Span
        >>> from ragctx.work import run
        >>> text = "Pets are fine. The rent is ten crowns. Windows are washed in spring."
        >>> encoder = Scripted()
        >>> models = Models({"reader": ModelFacts("m"), "encoder": encoder.facts})
        >>> context = Context((Passage(text, (Span("lease", 0, len(text)),)),))
        >>> work = EmbeddingSentences().compress(Question("What is the rent?"), context, 9, models)
        >>> run(work, lambda requests: encoder.serve(requests, print)).passages[0].text
        'The rent is ten crowns.'
    """

    name: ClassVar[str] = "embedding-sentences"

    threshold: float | None = None
    keep_title: bool = True

    def __post_init__(self) -> None:
        self._rule()

    def compress(self, question: Question, context: Context, budget: int, models: Models) -> Work[Context]:
        """A context of at most `budget` tokens by the reader's counter, of the sentences most like the question."""
        able(models)
        divided = Divided.of(context, budget, models.reader.counter)
        if self._asks(budget, fits=divided.fits):
            likeness = yield from _cosines(question.text, divided.texts)
        else:
            likeness = [[1.0 if divided.fits else 0.0] * len(found) for found in divided.sentences]
        return self._rule().kept(divided, likeness, budget, models.reader.counter)

    def estimate(
        self, context_tokens: int, passages: int, question_tokens: int, budget: int, models: Models
    ) -> tuple[Line, ...]:
        """Every passage once, and the question; nothing where everything fits or nothing may be kept.

        The tokens are counted as the reader does, and the encoder may count others. Vectors that the engine
        remembers cost nothing, which nobody knows here.
        """
        able(models)
        if not self._asks(budget, fits=context_tokens <= budget) or not passages:
            return ()
        read = context_tokens + question_tokens
        return (Line("encoder", Range(_FEWER * read, read, _MORE * read), ZERO, Range.exactly(1 + passages)),)

    def _asks(self, budget: int, *, fits: bool) -> bool:
        return budget > 0 and not (fits and self.threshold is None)

    def _rule(self) -> Rule:
        return Rule(self.threshold, self.keep_title, "like the question")


def able(models: Models) -> None:
    """Refuse where nobody can embed.

    Raises:
        ConfigError: with the remedy.
    """
    if not models.has("encoder"):
        raise ConfigError(f"ranking sentences by embeddings needs an encoder: {_REMEDY}")
    if not models.can("encoder", "Embed"):
        raise ConfigError(f"{models.of('encoder').name} cannot embed: {_REMEDY}")


def _cosines(question: str, texts: Sequence[Sequence[str]]) -> Work[list[list[float]]]:
    """Likeness 0 to 1 of every text, passage by passage; what points away from the question is worth nothing."""
    asked = [i for i, some in enumerate(texts) if some]
    found: list[list[float]] = [[] for _ in texts]
    if not asked:
        return found
    replies = yield [Embed((question,), query=True), *(Embed(tuple(texts[i])) for i in asked)]
    [query], *passages = [rows(*pair) for pair in zip(replies, (1, *(len(texts[i]) for i in asked)), strict=True)]
    for i, vectors in zip(asked, passages, strict=True):
        found[i] = [min(1.0, max(0.0, float(cosine))) for cosine in vectors @ query]
    return found
