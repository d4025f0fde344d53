"""Rationale ranking: what was found, and what the reader concludes from it, are scored by one model side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, cast

from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError
from ragctx.grounding.echo import unfenced
from ragctx.models import Models
from ragctx.prompts.replies import nothing
from ragctx.prompts.tasks import Task
from ragctx.prompts.texts import texts
from ragctx.retrievers.asking import at_least, cut_off, refined, searched, written
from ragctx.strategies import reranking
from ragctx.strategies.chunk_sizes import chunk_tokens, most_filled
from ragctx.strategies.finding import RANK_ALL, search_line, titles
from ragctx.types import Context, Line, Passage, Question, Range
from ragctx.work import Failure, Message, Relevances, Rerank, Sampling, Work

RANKER, PURPOSE, SOURCE = "ranker", "rationale", "rationale"
# Tokens around a passage in a prompt: its number, its label and its fence.
_HEADING = 16
_FILE = Path(__file__).with_name("texts") / "rationale.toml"
_SLOTS = {"conclude": ("QUESTION",)}


@dataclass(frozen=True, slots=True)
class RationaleRanking:
    """Scores retrieved passages and a written rationale together, and hands over what scores best.

    After "Answering unseen questions with smaller language models" (Hartill et al., arXiv 2308.04711), whose ranker is
    trained to tell true rationales from made-up ones. Here any model that ranks scores both: prompted form, inherits no
    published gain. Other than there the rationale is not the model's own knowledge: it is written from the best
    passages found, since answers must rest on the documents.

    Where the rationale scores `threshold` or more and above each passage it was written from, it stands in their place,
    `derived` and with their spans, which citations are looked up in. Otherwise, or where it is no shorter than they
    are, it is left out. The passages that stay are exact, best first.

    Attributes:
        over: the retriever that searches, or its name.
        depth: passages that are scored, whatever the limit; no more are handed over.
        read: of them, the first that the rationale is written from; fewer where the window holds fewer.
        threshold: what a rationale must score, from 0 to 1; it means something only with a calibrated ranker.
        most: tokens of the rationale.

    Raises:
        ConfigError: an option makes no sense; or, when asked, no model plays "ranker".

    Example:
        >>> RationaleRanking(read=2).name
        'rationale-ranked'
    """

    name: ClassVar[str] = "rationale-ranked"

    over: str | Retriever = "hybrid"
    depth: int = 20
    read: int = 4
    threshold: float = 0.5
    most: int = 96

    def __post_init__(self) -> None:
        at_least(self.name, depth=self.depth, read=self.read, most=self.most)
        if not 0 <= self.threshold <= 1:
            raise ConfigError(f"{self.name} needs a threshold from 0 to 1, not {self.threshold}")

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Build or refresh the index of the retriever that searches."""
        yield from searched(self.over, Question("."), (), corpus, 1, models)

    def retrieve(self, question: Question, corpus: Corpus, limit: int, models: Models) -> Work[Context]:
        """At most `limit` passages, best first, the rationale one of them where it won."""
        if not models.can(RANKER, "Rerank"):
            raise ConfigError("rationale-ranked scores by a model that ranks: name one, ranker='extractive'")
        [found] = yield from searched(self.over, question, [question.text], corpus, self.depth, models)
        if not found.passages:
            return found
        source = self._source(question, found.passages, corpus, models)
        messages = self._messages(question, source, corpus)
        [own] = self._messages(question, (), corpus)
        sampling = Sampling(max_tokens=self.most)
        said = yield from written(messages, PURPOSE, question, models, sampling, instruction=own.content)
        rationale = _shorter([unfenced(text, source, corpus.manifest) for text in said.texts], source)
        shown = (*found.passages, *([_derived(rationale, source)] if rationale else []))
        asked = tuple(passage.text for passage in shown)
        named = (*titles(found.passages, corpus), *([SOURCE] if rationale else []))
        [reply] = yield [Rerank(question.text, asked, RANKER, PURPOSE, tolerant=True, titles=named)]
        if isinstance(reply, Failure):
            told = f"passages are not ranked anew: the ranker failed ({reply.message})"
            return refined(_taken(found, found.passages, limit), said.spent, (*said.notes, told))
        values = cast("Relevances", reply).values
        scored = [replace(passage, score=float(value)) for passage, value in zip(shown, values, strict=True)]
        ranked, notes = self._ranked(scored, len(source), found=len(found.passages))
        signals = {**found.signals, "relevance_max": max(values)}
        kept = _taken(replace(found, signals=signals), ranked, limit)
        return refined(kept, said.spent, (*said.notes, *notes))

    def lines(self, question: Question, corpus: Corpus, limit: int, models: Models) -> tuple[Line, ...]:
        """The search, the rationale from the first passages, and one scoring of them all."""
        inner, view = search_line(self.over, question, models, corpus, self.depth), corpus.select(question.where)
        if not models.has(RANKER):
            return inner
        scoring = reranking.line(question, None, self.depth, view, models)
        reader = models.reader
        if "Generate" not in reader.kinds or not len(view.chunks):
            return (*inner, scoring)
        bare = reader.counter.render(self._messages(question, (Passage("x", (), "x"),), corpus))
        count = min(self.read, len(view.chunks))
        prompt = bare + count * (chunk_tokens(view, reader.counter) + _HEADING)
        longest = max(2 * prompt, bare + most_filled(view, reader.counter, count))
        high = max(prompt, min(longest, reader.window or longest))
        sure = bare if self.over in RANK_ALL and question.budget is None else 0  # nothing found, nothing concluded
        writing = Line("reader", Range(sure, prompt, high), Range(0, self.most / 2, self.most), Range(0, 1, 1))
        return (*inner, scoring, writing)

    def _source(
        self, question: Question, found: Sequence[Passage], corpus: Corpus, models: Models
    ) -> tuple[Passage, ...]:
        """The first passages that a call has room for, one at least."""
        source = tuple(found[: self.read])
        if not models.has("reader") or models.reader.window is None:
            return source
        room, render = models.reader.window - self.most, models.reader.counter.render
        while len(source) > 1 and render(self._messages(question, source, corpus)) > room:
            source = source[:-1]
        return source

    def _ranked(self, scored: Sequence[Passage], read: int, found: int) -> tuple[list[Passage], tuple[str, ...]]:
        """Passages best first, with the rationale in the place of its source where it won, and what to tell."""
        staying = list(scored[:found])
        if len(scored) == found:
            return _sorted(staying), ()
        value, best = scored[found].score or 0.0, max(passage.score or 0.0 for passage in scored[:read])
        if value < self.threshold or value <= best:
            return _sorted(staying), (f"the rationale was left out: {value:.2f}, the passages {best:.2f} at best",)
        told = f"a rationale stands for the {read} passages that it was written from: {value:.2f} over {best:.2f}"
        return _sorted([scored[found], *scored[read:found]]), (told,)

    def _messages(self, question: Question, source: Sequence[Passage], corpus: Corpus) -> tuple[Message, ...]:
        task = Task(texts(_FILE, _SLOTS), corpus.manifest)
        return task.messages("conclude", source, question=question.text)


def _shorter(said: Sequence[str], source: Sequence[Passage]) -> str:
    """The rationale; none where the reader found nothing, or wrote no less than it had read."""
    written = next((" ".join(text.split()) for text in said if not nothing(text)), "")
    return written if len(written) < sum(len(passage.text) for passage in source) else ""


def _derived(text: str, source: Sequence[Passage]) -> Passage:
    return Passage(text, tuple(span for passage in source for span in passage.spans), SOURCE, derived=True)


def _sorted(passages: Sequence[Passage]) -> list[Passage]:
    return sorted(passages, key=lambda passage: -(passage.score or 0.0))


def _taken(found: Context, ranked: Sequence[Passage], limit: int) -> Context:
    kept, left = tuple(ranked[:limit]), ranked[limit:]
    return replace(found, passages=kept, dropped=cut_off(left, kept, f"rank above {limit}"))
