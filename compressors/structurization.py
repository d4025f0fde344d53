"""Puts passages in order by what they are about: an outline whose descriptions are the passages' own sentences.

The idea is StruXGPT's (Liu et al., NeurIPS 2024, arXiv:2407.16434): scope, aspects, descriptions. As in its second
version the reader names sentences by their numbers and writes none of them anew: the outline is short to write, nothing
is paraphrased, and every line of it still has its place in the source.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, cast

from ragctx.compressors.filling import Filling, tokens
from ragctx.compressors.likeness import likeness, line
from ragctx.compressors.outlines import Outline, outline
from ragctx.compressors.parts import Part, blanks, parts, visible
from ragctx.compressors.telling import about, again, writes
from ragctx.compressors.units import Unit
from ragctx.compressors.weighing import Weighed
from ragctx.errors import ConfigError, RequestFailed
from ragctx.models import Models
from ragctx.types import Context, Dropped, Line, Passage, Question, Range
from ragctx.work import Completion, Failure, Generate, Message, Sampling, Work

_TASK = (
    "Write an outline of the numbered sentences. The first line is Scope: and a few words on what they are all about. "
    "Then comes one line for each aspect: its name in a few words, a colon, and the numbers of its sentences, like "
    "this:\nScope: care of a garden\nWatering: 1, 4-5\nPruning: 2, 3\n"
    "Give every sentence to one aspect and write nothing else."
)
_LEFT = "over the token budget: {:.2f} like the question"
_FRAME, _NUMBER, _OUTPUT = 190, 4, 60  # tokens: of rule and task, of a sentence's number, of an outline's names


@dataclass(frozen=True, slots=True)
class Structured:
    """One aspect of a part: its heading and the places of its sentences; what the outline left out has no heading."""

    part: Part
    heading: str
    sentences: tuple[int, ...]

    def weighed(self, keep: float) -> Weighed:
        """The aspect as text: its heading, then its sentences; without a heading its sentences as they stand."""
        texts = [*([f"{self.heading}:"] if self.heading else []), *(self.part.said(j) for j in self.sentences)]
        passage = self._under_heading(texts) if self.heading else self._exact(self.sentences)
        units: list[Unit] = []
        for number, piece in enumerate(texts):
            at = passage.text.index(piece, units[-1].end if units else 0)
            units.append(Unit(at, at + len(piece), bool(self.heading) and not number, number))
        return Weighed(passage, tuple(units), (keep,) * len(units), keep)

    def narrowed(self, passage: Passage, units: Collection[int]) -> Passage:
        """What some of the units read as, with the spans of just those sentences."""
        return replace(passage, spans=self._exact(self.held(units)).spans) if self.heading else passage

    def held(self, units: Collection[int]) -> list[int]:
        """The sentences that some of the units are."""
        skipped = 1 if self.heading else 0
        return [self.sentences[j - skipped] for j in sorted(units) if j >= skipped]

    def _under_heading(self, texts: Sequence[str]) -> Passage:
        return replace(self.part.passage, text=" ".join(texts), derived=True)

    def _exact(self, places: Sequence[int]) -> Passage:
        return self.part.passage.narrowed([self.part.sentences[j] for j in places])


@dataclass(frozen=True, slots=True)
class Structurization:
    r"""Rewrites each passage as an outline, and keeps of it the aspects most like the question.

    The reader is shown a passage's sentences under numbers (a long passage in parts) and names what all are about, its
    aspects, and which sentences belong to each. Each aspect becomes a passage of its own, "scope, aspect: sentences",
    derived since the heading is written, with the spans of just its sentences. Sentences that the outline leaves out
    follow as they are, and so does a part that got no outline in two tries, with a note. The question is not told, so
    one outline serves every question, from the engine's cache.

    What of it fills the budget: aspects by their likeness to the question, sentence by sentence. Order: as the reader
    put it, part by part.

    Attributes:
        always: outline what fits the budget anyway, for readers that are helped by the order.
        longest: tokens of a part: what one request reads.

    Raises:
        ConfigError: an option makes no sense, or the reader writes nothing.
        RequestFailed: not one outline could be had: replies were none, and their corrections were none.

    Example:
        >>> from ragctx.readers.scripted import Rule, Scripted
        >>> from ragctx.types import Span
        >>> from ragctx.work import run
        >>> text = "Rent is ten crowns. Dogs are welcome in the yard. Rent is due in May."
        >>> reader = Scripted([Rule("Write an outline", "Scope: lease\nRent: 1, 3\nPets: 2")])
        >>> context = Context((Passage(text, (Span("lease", 0, len(text)),), "lease"),))
        >>> work = Structurization().compress(Question("Rent?"), context, 16, Models({"reader": reader.facts}))
        >>> found = run(work, lambda requests: reader.serve(requests, lambda i, text: None))
        >>> [(p.text, tuple((s.start, s.end) for s in p.spans)) for p in found.passages]
        [('lease, Rent: Rent is ten crowns. Rent is due in May.', ((0, 19), (50, 69)))]
    """

    name: ClassVar[str] = "structurization"

    always: bool = False
    longest: int = 1500

    def __post_init__(self) -> None:
        if self.longest < 1:
            raise ConfigError(f"longest={self.longest}: give the tokens of a part, 1500 by default")

    def compress(self, question: Question, context: Context, budget: int, models: Models) -> Work[Context]:
        """A context of at most `budget` tokens by the reader's counter: aspects with sentences that speak of them."""
        counter = models.reader.counter
        found = parts(context.passages, counter, _readable(models, self.longest))
        shown, blank = visible(found, context.passages), blanks(context.passages)
        if not found or budget < 1 or (not self.always and tokens(shown, counter) <= budget):
            kept = shown if found and budget > 0 else []
            over = [] if kept else [Dropped(s, _LEFT.format(0.0)) for p in shown for s in p.spans]
            dropped = (*context.dropped, *blank, *dict.fromkeys(over))
            return replace(context, passages=tuple(kept), dropped=dropped)
        writes(models, "structurization")
        outlines, missing = yield from _outlines(found, models)
        aspects = [one for part, made in zip(found, outlines, strict=True) for one in _aspects(part, made)]
        texts = [one.weighed(0.0).passage.text for one in aspects]
        keeps, note = yield from likeness(question.text, texts, models)
        weighed = [one.weighed(keep) for one, keep in zip(aspects, keeps, strict=True)]
        filling = Filling(weighed, counter, budget)
        filling.fill(_wanted(weighed))
        return Context(
            tuple(aspects[i].narrowed(passage, filling.kept[i]) for i, passage in filling.passages()),
            (*context.dropped, *blank, *_dropped(aspects, weighed, filling.kept)),
            (*context.notes, *(text for text in (note, missing) if text)),
            {**context.signals, "aspects": float(len(aspects))},
        )

    def estimate(
        self, context_tokens: int, passages: int, question_tokens: int, budget: int, models: Models
    ) -> tuple[Line, ...]:
        """One call for each part, and up to as many again where outlines have to be corrected.

        Replies that are in the cache already cost nothing, which nobody knows here.
        """
        if budget < 1 or (context_tokens <= budget and not self.always):
            return ()
        calls = max(passages, math.ceil(context_tokens / self.longest), 1)
        sentences = context_tokens / 22
        prompt = context_tokens + _NUMBER * sentences + _FRAME * calls
        written = _OUTPUT * calls + 2 * sentences
        most = 2.3 * (prompt + written)
        return (
            Line("reader", Range(0.9 * prompt, prompt, most), Range(calls, written, 2 * _most(sentences, calls)),
                 Range(calls, calls, 2 * calls)),
            *line(context_tokens, 3 * calls, question_tokens, models),
        )  # fmt: skip


def _most(sentences: float, calls: float) -> float:
    return calls * 2 * _OUTPUT + 8 * sentences


def _readable(models: Models, longest: int) -> int:
    """What of a window a part may take: a third, for a correction shows the first outline again."""
    window = models.reader.window
    return longest if window is None else max(1, min(longest, (window - _FRAME) // 3))


def _outlines(found: Sequence[Part], models: Models) -> Work[tuple[list[Outline], str]]:
    """An outline of every part, an empty one where none could be had, and a note on those.

    Replies that are no outlines are asked for once more, with what is wrong with them.

    Raises:
        RequestFailed: not one outline could be had.
    """
    asked = [about(p.passage, _TASK, [f"[{j + 1}] {p.said(j)}" for j in range(len(p.sentences))]) for p in found]
    made, wrong = yield from _tried(dict(enumerate(found)), dict(enumerate(asked)), models)
    if mending := {i: one for i, one in wrong.items() if one.said is not None}:
        prompts = {i: again(asked[i], one.said or "", one.problem) for i, one in mending.items()}
        mended, still = yield from _tried({i: found[i] for i in mending}, prompts, models)
        made, wrong = made | mended, {i: one for i, one in (wrong | still).items() if i not in mended}
    if not wrong:
        return [made[i] for i in range(len(found))], ""
    first, why = next(iter(wrong.items()))
    if not made:
        source, tries = found[first].passage.source or "a passage", " in two tries" if why.said is not None else ""
        raise RequestFailed(
            why.kind,
            f"{models.reader.name} wrote no outline of {source}{tries} ({why.problem}): use a larger reader, or "
            "a compressor that asks for no outline",
        )
    note = f"{len(wrong)} of {len(found)} texts have no outline ({why.problem}): their own sentences stand instead"
    return [made.get(i, Outline("", ())) for i in range(len(found))], note


@dataclass(frozen=True, slots=True)
class _Wrong:
    """Why there is no outline: what is wrong with what was said, or nothing was said."""

    said: str | None
    problem: str
    kind: str = "malformed"


def _tried(
    found: Mapping[int, Part], prompts: Mapping[int, tuple[Message, ...]], models: Models
) -> Work[tuple[dict[int, Outline], dict[int, _Wrong]]]:
    """The outlines of one try by the numbers of their parts, and of the others what is wrong."""
    most = {
        i: min(filter(None, (round(_most(len(p.sentences), 1)), models.reader.max_output))) for i, p in found.items()
    }
    replies = yield [
        Generate(prompt, purpose="outline", sampling=Sampling(max_tokens=most[i]), tolerant=True)
        for i, prompt in prompts.items()
    ]
    made, wrong = dict[int, Outline](), dict[int, _Wrong]()
    for i, reply in zip(prompts, replies, strict=True):
        if isinstance(reply, Failure):
            wrong[i] = _Wrong(None, reply.message, reply.kind)
            continue
        text = cast("Completion", reply).text
        one, problem = outline(text, len(found[i].sentences))
        if problem:
            wrong[i] = _Wrong(text, problem)
        else:
            made[i] = one
    return made, wrong


def _aspects(part: Part, made: Outline) -> list[Structured]:
    """The outline's aspects in its order, and last the sentences that it left out."""
    named = [Structured(part, f"{made.scope}, {one.about}", one.sentences) for one in made.aspects]
    told = {j for one in made.aspects for j in one.sentences}
    rest = tuple(j for j in range(len(part.sentences)) if j not in told)
    return [*named, *([Structured(part, "", rest)] if rest else [])]


def _wanted(weighed: Sequence[Weighed]) -> list[tuple[int, int]]:
    """Sentences of the aspects, those most like the question first."""
    order = sorted(range(len(weighed)), key=lambda i: (-weighed[i].relevance, i))
    return [(i, j) for i in order for j, unit in enumerate(weighed[i].units) if not unit.heading]


def _dropped(aspects: Sequence[Structured], weighed: Sequence[Weighed], kept: Sequence[set[int]]) -> list[Dropped]:
    """Sentences that are not read; those of a derived passage share its spans, which are read where one is kept."""
    held = [aspect.held(units) for aspect, units in zip(aspects, kept, strict=True)]
    told = {span for one, some in zip(aspects, held, strict=True) if some for span in one.part.passage.spans}
    found: list[Dropped] = []
    for one, weight, some in zip(aspects, weighed, held, strict=True):
        reason = _LEFT.format(weight.relevance)
        left = [one.part.sentences[j] for j in one.sentences if j not in some]
        spans = one.part.passage.narrowed(left).spans if left else ()
        found += [Dropped(s, reason) for s in spans if not (one.part.passage.derived and s in told)]
    return list(dict.fromkeys(found))
