"""Map, extract, compute: every portion is read for items, and what is asked of all of them together is done by code.

A model that reads a whole document counts badly and lists what comes first (HoloBench, arXiv 2410.11996, shows how fast
aggregation falls off with the context's length). Here it is asked only for what small models can do, to copy out of a
page what is asked for. Looking quotes up, leaving out what is none, merging and computing are code. Nothing was trained
for this: prompted form; inherits no published gain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from ragctx.agents.checking import JUDGE, checked
from ragctx.agents.computing import Result, computed
from ragctx.agents.extracting import Extraction, extraction
from ragctx.agents.mapping import PLAN, PLANNER, WORKER, Asking
from ragctx.agents.operations import OPERATIONS, Operation, Wanted
from ragctx.agents.places import Item
from ragctx.agents.sieving import Sieved, sieved
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError, RequestFailed
from ragctx.models import Models
from ragctx.prompts import Templates, shipped
from ragctx.strategies.limits import readable
from ragctx.strategies.purse import Purse
from ragctx.strategies.standalone import MOST, Asked, alone, line
from ragctx.types import Answer, Citation, Dropped, Estimate, Line, Question, Range
from ragctx.work import Work

if TYPE_CHECKING:
    from pydantic import BaseModel

# Tokens expected of the plan's reply, and of one portion's.
PLANNED, FOUND = 20, 45
# Share of portions that are expected to be asked again.
_AGAIN = 0.02
# Tokens of the repair's own words, at most.
_REPAIR = 96
# How far the plan's words may be shorter than the question's, as a share of the prompts.
_SHORTER = 0.85
# A citation is for reading.
_LONGEST = 600


@dataclass(frozen=True, slots=True)
class MapExtract:
    r"""Read every portion for items and compute over them: count, sum, average, maximum, minimum, list, group.

    The question's own words say what to compute where they are plain ("how many", "all together", "the cheapest"); one
    planning call says it where they are not, and what one item is. Every item must bring a quote, or at least a name,
    that stands in the documents; the answer's text says the outcome and names the items, its citations are their
    sentences, its `data` holds outcome and items with their places. No item at all is "not in the documents".

    Attributes:
        tokens: of a portion. Small models list what is near and lose the rest of a long page.
        max_output: most tokens of one portion's reply.
        item: what one item is, in words; no planning call is made. operation: what is computed; by default what the
            question's words or the plan say.
        schema: a pydantic model of one item, with fields of your own; its docstring says what an item is.
        check: ask for every item found whether it is one, a short call each.
        templates: for the refusal, and for making follow-ups standalone.

    Raises:
        ConfigError: an option makes no sense.

    Example:
        >>> from ragctx.models import ModelFacts
        >>> from ragctx.work import Completion, run
        >>> corpus = Corpus.of("Ada came on Monday. Bo came on Friday. Cy did not come.")
        >>> work = MapExtract(item="a person who came").read(
        ...     Question("How many people came?"), corpus, Models({"reader": ModelFacts("m")}))
        >>> answer = run(work, lambda requests: [Completion("- Ada came on Monday\n- Bo came on Friday\n- Dora came")])
        >>> answer.text, answer.data["result"], answer.notes[-1]
        ('Two: Ada came on Monday; Bo came on Friday.', 2, '1 of 3 quotes (33 %) stand nowhere in the documents')
    """

    name: ClassVar[str] = "map-extract"

    tokens: int = 400
    max_output: int = 320
    item: str = ""
    operation: Operation | None = None
    schema: type[BaseModel] | None = None
    check: bool = False
    templates: Templates = field(default_factory=shipped)

    def __post_init__(self) -> None:
        if self.operation is not None and self.operation not in OPERATIONS:
            raise ConfigError(f"no operation is called {self.operation!r}: there are {', '.join(OPERATIONS)}")
        if self.tokens < 1 or self.max_output < 1:
            raise ConfigError(f"map-extract needs room: tokens={self.tokens}, max_output={self.max_output}")
        if self.schema is not None and not hasattr(self.schema, "model_json_schema"):
            raise ConfigError(f"schema={self.schema!r} is no pydantic model: give a subclass of BaseModel for one item")

    def estimate(self, question: Question, corpus: Corpus, models: Models) -> Estimate:
        """What `read` will spend: every portion is rendered, with the question's words in the place of the plan's.

        Raises:
            DoesNotFit: the reader's window has no room for a portion.
        """
        asking = self._asking(question, readable(question, corpus), models)
        each, calls = asking.expected()
        again = _AGAIN * calls
        prompt = Range(_SHORTER * each, each * (1 + _AGAIN), 2 * each + calls * (asking.output + _REPAIR + PLAN))
        output = Range(calls, min(FOUND, asking.output) * (calls + again), 2 * calls * asking.output)
        lines = [*line(question, models, self.templates)]
        if asking.known() is None:
            planning = asking.planning()
            spread = Range(0.8 * planning, planning, planning + MOST) if question.history else Range.exactly(planning)
            lines.append(Line(PLANNER, spread, Range(1, PLANNED, PLAN), Range.exactly(1)))
        lines.append(Line(WORKER, prompt, output, Range(calls, calls + again, 2 * calls)))
        notes = ("checking items takes a short call for each item found, not counted here",) if self.check else ()
        return Estimate(tuple(lines), notes=notes)

    def read(self, question: Question, corpus: Corpus, models: Models) -> Work[Answer]:
        """Plan, extract from every portion, look up, compute.

        Raises:
            LimitError: window or budget leave no room to read everything, which counting needs.
            RequestFailed: not one portion's reply is of use.
        """
        view = readable(question, corpus)
        _single_field(question)
        self._asking(question, view, models).parts()  # refuses before anything is spent
        asked = yield from alone(question, models, self.templates)
        asking, purse = self._asking(asked.question, view, models), Purse.after(asked, models.of(WORKER))
        parts = asking.parts()
        purse.check_all(asking.bill(parts))
        wanted, notes = yield from asking.wanted(purse)
        found = yield from extraction(asking.requests(wanted, parts), parts, view, purse, asking.task, self.schema)
        if len(found.failed) == len(parts):
            raise RequestFailed("malformed", f"no portion's reply is of use ({found.why}): use a larger model")
        kept = sieved(found.items, wanted, asked.question.text, view)
        if self.check and kept.items:
            judge = models.of(JUDGE)
            kept = yield from checked(kept, wanted.item, asked.question, asking.task, purse, judge)
        return _answer(self, asked, wanted, found, kept, view, notes)

    def _asking(self, question: Question, view: Corpus, models: Models) -> Asking:
        return Asking(question, view, models, self.tokens, self.max_output, self.item, self.operation, self.schema)


def _answer(
    how: MapExtract, asked: Asked, wanted: Wanted, found: Extraction, kept: Sieved, view: Corpus, notes: Sequence[str]
) -> Answer:
    """The answer, from what is left."""
    text = asked.question.text
    result = computed(wanted, kept.items, text) if kept.items else Result("", 0, wanted.operation, ())
    data = _data(asked.question, result)
    return Answer(
        text=result.text or how.templates.unanswerable,
        question=asked.question.id,
        strategy=how.name,
        answerable=bool(result.items),
        citations=_citations(result.items, view),
        data=data,
        coverage=view.coverage(found.read),
        dropped=tuple(Dropped(span, "the model's reply about it was of no use") for span in found.unread),
        notes=(*asked.notes, f"{result.operation} of: {wanted.item}", *notes, *result.notes, *kept.notes, *found.notes),
    )


def _citations(items: Sequence[Item], view: Corpus) -> tuple[Citation, ...]:
    """The sentence of each item, and the row of a table; a long one is cut to the quote."""
    spans = dict.fromkeys(item.unit if len(item.unit) <= _LONGEST else item.span for item in items)
    return tuple(
        Citation(span, view.text(span), span.document, view.document(span.document).page(span.start)) for span in spans
    )


def _data(question: Question, result: Result) -> object:
    """Outcome and items as plain values, or the outcome alone as the asked type."""
    if question.answer_type is not None:
        [name] = question.answer_type.model_fields
        from pydantic import ValidationError

        try:
            return question.answer_type.model_validate({name: result.value}).model_dump(mode="json")
        except ValidationError as error:
            raise RequestFailed(
                "malformed",
                f"{result.operation} gives {result.value!r}, which {name} cannot hold: {error.errors()[0]['msg']}",
            ) from error
    return {"operation": result.operation, "result": result.value, "items": [_plain(item) for item in result.items]}


def _plain(item: Item) -> dict[str, object]:
    own = dict(item.fields) or {"name": item.name, "value": item.value, "group": item.group}
    place = item.span
    return {**own, "quote": item.quote, "document": place.document, "start": place.start, "end": place.end}


def _single_field(question: Question) -> None:
    """Refuse an answer type that an outcome cannot be put in, before anything is spent.

    Raises:
        ConfigError: it has several fields.
    """
    if question.answer_type is not None and len(question.answer_type.model_fields) != 1:
        raise ConfigError(
            f"map-extract computes one outcome, but {question.answer_type.__name__} has "
            f"{len(question.answer_type.model_fields)} fields: give one of one field, or MapExtract(schema=...) for "
            "the items, or use a strategy that fills any type: full, retrieve, compress"
        )
