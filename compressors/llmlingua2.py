"""Keeps the words of a text that tell something, whatever is asked.

LLMLingua-2 (Pan et al., Findings of ACL 2024, arXiv:2403.12968): a small encoder reads a text once and tells of each
token how likely a good summary would have kept it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, cast

from ragctx.compressors.fitting import fit, narrowed
from ragctx.compressors.forced import Rules
from ragctx.compressors.likeness import likeness
from ragctx.compressors.recovery import recovered
from ragctx.compressors.tokens import Token, tokens_of
from ragctx.errors import ConfigError, RequestFailed
from ragctx.models import Counter, ModelFacts, Models, Pieces
from ragctx.types import Context, Line, Passage, Question, Range
from ragctx.types.costs import ZERO
from ragctx.work import Relevances, Reply, Rerank, Work, raised

_WORDS = "words that tell less: over the token budget"
_UNLIKE = "over the token budget: the passage is less like the question than others"
_REMEDY = "name one, e.g. Pipeline.over(..., ranker='llmlingua2:FOLDER_OR_HUB_NAME')"
_OTHER = "{} was not trained to weigh words: an LLMLingua-2 checkpoint was ('llmlingua2:FOLDER_OR_HUB_NAME')"
_BETWEEN = "\n\n"
# A ranker may count so many fewer or more tokens than the reader does.
_FEWER, _MORE = 0.5, 1.6


@dataclass(frozen=True, slots=True)
class LLMLingua2:
    """Drops the words that tell least, over all passages alike, until the budget holds the rest.

    The words are weighed by the role "ranker", bound to an LLMLingua-2 checkpoint (`llmlingua2:NAME`). Where words
    begin is told by that model's own tokenizer; words and numbers are kept whole. Each passage is a request of its own
    and without the question, so that its weights serve every question after from the engine's cache.

    That is also what to know of it: the question does not decide which words stay. For questions on many documents
    let it choose documents first, or take a compressor that reads the question. A ranker that does read questions
    (`provence:NAME`, `extractive`) is given it, and a note says that it was trained on sentences.

    Where it differs from the package of the same name: there every window of 512 tokens is cut by the same share; here
    the budget goes where the words tell most. The budget is the reader's, exact, and is never exceeded.

    Attributes:
        choose_documents: keep only the passages most like the question before words are weighed: by the encoder where
            there is one, else by shared words.
        coarse: with `choose_documents`, passages are kept until they hold so many times the budget.
        numbers: keep every number, as far as the budget holds.
        patterns: regular expressions; what they match is kept likewise.

    Raises:
        ConfigError: an option makes no sense, or no model plays the role "ranker" that weighs parts of a text.
        RequestFailed: the ranker sent weights that are no numbers.

    Example:
        >>> from ragctx.models import ModelFacts
        >>> from ragctx.readers.scripted import Scripted
        >>> from ragctx.types import Span
        >>> from ragctx.work import run
        >>> text = "The rent, as everybody knows, is ten crowns."
        >>> ranker = Scripted()
        >>> models = Models({"reader": ranker.facts, "ranker": ranker.facts})
        >>> context = Context((Passage(text, (Span("lease", 0, len(text)),)),))
        >>> work = LLMLingua2().compress(Question("Rent is ten crowns?"), context, 4, models)
        >>> run(work, lambda requests: ranker.serve(requests, print)).passages[0].text
        'rent is ten crowns'
    """

    name: ClassVar[str] = "llmlingua2"

    choose_documents: bool = False
    coarse: float = 2.0
    numbers: bool = False
    patterns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.coarse >= 1:
            raise ConfigError(f"coarse={self.coarse}: give 1 or more times the budget")
        self._rules()

    def compress(self, question: Question, context: Context, budget: int, models: Models) -> Work[Context]:
        """A context of at most `budget` tokens by the reader's counter, of the words that tell most."""
        facts = able(models)
        counter, passages = models.reader.counter, context.passages
        visible = [i for i, passage in enumerate(passages) if passage.text.strip()]
        if _count([passages[i] for i in visible], counter) <= budget:
            whole = [[(0, len(p.text))] if i in set(visible) else [] for i, p in enumerate(passages)]
            return narrowed(context, passages, whole, _why(visible))
        if budget < 1:
            return narrowed(context, passages, [[] for _ in passages], _why(visible))
        chosen, note = visible, ""
        if self.choose_documents:
            chosen, note = yield from self._chosen(question, passages, visible, budget, models)
        weighed = yield from self._weighed(question, passages, chosen, facts)
        wanted = sorted(weighed, key=lambda token: (-token.weight, token.passage, token.start))
        told = "" if "Words" in facts.kinds else _OTHER.format(facts.name)
        return narrowed(
            context,
            passages,
            fit(passages, wanted, counter, budget),
            _why(chosen),
            notes=[one for one in (note, told) if one],
            signals={"passages_chosen": float(len(chosen))},
        )

    def recover(self, answer: str, before: Context, kept: Context) -> str:
        """The answer with what it copied from the kept text put as the whole text has it; see `recovered`."""
        return recovered(answer, before, kept)

    def estimate(
        self, context_tokens: int, passages: int, question_tokens: int, budget: int, models: Models
    ) -> tuple[Line, ...]:
        """Every passage once, or as many as are chosen first; nothing where everything fits.

        The tokens are counted as the reader does, and the ranker may count others. Weights that are in the cache
        already cost nothing, which nobody knows here.
        """
        facts = able(models)
        if budget < 1 or context_tokens <= budget or not passages:
            return ()
        share = min(1.0, (self.coarse * budget + context_tokens / passages) / context_tokens)
        calls = max(1.0, passages * share) if self.choose_documents else float(passages)
        asked = 0 if "Words" in facts.kinds else question_tokens
        read = context_tokens * (share if self.choose_documents else 1.0) + calls * asked
        lines = (Line("ranker", Range(_FEWER * read, read, _MORE * read), ZERO, Range(1, calls, passages)),)
        if not (self.choose_documents and models.can("encoder", "Embed")):
            return lines
        whole = context_tokens + question_tokens
        return (Line("encoder", Range(_FEWER * whole, whole, _MORE * whole), ZERO, Range.exactly(2)), *lines)

    def _chosen(
        self, question: Question, passages: Sequence[Passage], visible: Sequence[int], budget: int, models: Models
    ) -> Work[tuple[list[int], str]]:
        """The passages most like the question, in their order, until they hold enough."""
        values, note = yield from likeness(question.text, [passages[i].text for i in visible], models)
        chosen, held = list[int](), 0
        for _, i in sorted(zip((-value for value in values), visible, strict=True)):
            if chosen and held >= self.coarse * budget:
                break
            chosen.append(i)
            held += models.reader.counter.count(passages[i].text)
        return sorted(chosen), note

    def _weighed(
        self, question: Question, passages: Sequence[Passage], chosen: Sequence[int], facts: ModelFacts
    ) -> Work[list[Token]]:
        """The words of the chosen passages with their weights: one request a passage."""
        counter = facts.counter
        pieces = counter if isinstance(counter, Pieces) else _Words()
        divided = [
            [replace(token, passage=i) for token in one.tokens]
            for i, one in zip(
                chosen, tokens_of([passages[i] for i in chosen], pieces, rules=self._rules()), strict=True
            )
        ]
        query = "" if "Words" in facts.kinds else question.text
        replies = yield [
            Rerank(query, (passages[i].text,), purpose="weigh words", units=(tuple(_visible(passages[i], tokens)),))
            for i, tokens in zip(chosen, divided, strict=True)
        ]
        return [
            replace(token, weight=weight)
            for tokens, reply in zip(divided, replies, strict=True)
            for token, weight in zip(tokens, _weights(reply, len(tokens)), strict=True)
        ]

    def _rules(self) -> Rules:
        return Rules.of(self.numbers, self.patterns)


def able(models: Models) -> ModelFacts:
    """The facts of the ranker.

    Raises:
        ConfigError: nobody weighs parts of a text; with the remedy.
    """
    if not models.has("ranker"):
        raise ConfigError(f"weighing words needs a ranker: {_REMEDY}")
    facts = models.of("ranker")
    if not {"Rerank", "Prune"} <= facts.kinds:
        raise ConfigError(f"{facts.name} ranks texts only and weighs no words: {_REMEDY}")
    return facts


def _visible(passage: Passage, tokens: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """The characters of the tokens without the blanks before them."""
    for token in tokens:
        piece = passage.text[token.start : token.end]
        yield token.start + len(piece) - len(piece.lstrip()), token.end


def _weights(reply: Reply, wanted: int) -> tuple[float, ...]:
    [keeps] = cast("Relevances", raised(reply)).keeps
    if len(keeps) != wanted or not all(0 <= keep <= 1 for keep in keeps):
        raise RequestFailed("malformed", f"the ranker sent no {wanted} weights from 0 to 1: use other weights")
    return keeps


def _why(chosen: Sequence[int]) -> Callable[[int, bool], str]:
    return lambda number, whole: _WORDS if number in chosen else _UNLIKE


def _count(passages: Sequence[Passage], counter: Counter) -> int:
    return counter.count(_BETWEEN.join(passage.text for passage in passages))


class _Words:
    """Words and marks, for a ranker that does not tell its tokens."""

    _PIECE = re.compile(r"[^\W\u0e00-\u0eff\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff]+|\S")

    def pieces(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """No ids that mean anything, and the places of words, marks and characters of scripts without blanks."""
        places = [found.span() for found in self._PIECE.finditer(text)]
        return [0] * len(places), places
