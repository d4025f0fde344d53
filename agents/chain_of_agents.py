"""Chain-of-Agents: workers read one portion each and pass on what they found, a manager answers from it.

Source: Zhang et al., Chain of Agents: Large Language Models Collaborating on Long-Context Tasks (arXiv 2406.02818).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from ragctx.agents import chain_costs
from ragctx.agents.chain_walk import chosen, walk
from ragctx.agents.chaining import DIRECTIONS, Chain, Numbered, orders
from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError, DoesNotFit
from ragctx.models import ModelFacts, Models
from ragctx.prompts import Prompt, Templates, shipped
from ragctx.prompts.replies import numbers
from ragctx.prompts.tasks import Task
from ragctx.prompts.texts import Texts, texts
from ragctx.strategies import finding
from ragctx.strategies.answering import Reading
from ragctx.strategies.concluding import concluded, last
from ragctx.strategies.cutting import Cut
from ragctx.strategies.limits import output_tokens, readable
from ragctx.strategies.ordering import by_document
from ragctx.strategies.portions import COUNTED, cuts, portion_count
from ragctx.strategies.purse import Purse
from ragctx.strategies.standalone import MOST, alone, line
from ragctx.types import Answer, Context, Estimate, Line, Question, Range
from ragctx.work import Completion, Generate, Message, Sampling, Work

Direction = Literal["left-to-right", "right-to-left", "both", "permuted"]

_FILE = Path(__file__).parent / "texts" / "chain_of_agents.toml"
_SLOTS = {
    "first": ("QUESTION",),
    "next": ("QUESTION",),
    "judge": ("QUESTION",),
    "manager": (),
}
# A message takes at most this share of its worker's window: it is read and written there.
_SHARE = 8
# Portions are a multiple of so many tokens, so that questions of different lengths share them.
_STEP = 64
# A portion of fewer tokens is not worth a call.
_NARROW = 48
# How full portions are on average.
_FULL = 0.97
# The window of a model whose window nobody said.
_UNKNOWN = 8_000
_STOP = ("\nQuestion:",)
# What is found may be so much shorter or longer than chunks taken evenly.
_SPREAD = (0.5, 1.8)
# So many portions are enough to see how many orders there are.
_ORDERED = 16
NOTHING = "no worker found anything that helps to answer: the manager was not asked"


@dataclass(frozen=True, slots=True)
class ChainOfAgents:
    """Workers read one portion each, in turn, and pass on a message of facts; a manager answers from the last one.

    All that the question may read is divided at sentence borders into portions of `portion` tokens, or as the paper has
    it that fill a worker's window, less the question, the instructions, the message and the reply. A message is a list
    of facts with the numbers of the chunks they stand in, of `message` tokens at most; a worker that finds nothing new
    passes it on as it was. The manager never sees the documents, and may refuse. Citations are sentences of the chunks
    that the answer names, or else the message. With `retriever` the chain reads only the chunks that a search finds, in
    the documents' order.

    A prompted form of the published method, which was measured with models of another size: it inherits no published
    gain.

    Attributes:
        direction: the portions' order: "left-to-right", "right-to-left", "both", or "permuted", several random ones. Of
            several orders' notes a model that plays "judge" chooses those that are answered from.
        paths: orders of "permuted", the documents' own among them.
        portion: most tokens a worker reads of the documents; None fills its window, which small models read badly.
        message: most tokens of a message. max_output: most tokens the answer may have.
        retriever: chain only what it finds: a registered name, or a `Retriever`. chunks: most chunks of these.
        templates: the texts of the manager's question.

    Raises:
        ConfigError: an option makes no sense.

    Example:
        >>> from ragctx.work import run
        >>> corpus = Corpus.of("The notice period is three months.", "Pets are welcome.")
        >>> work = ChainOfAgents().read(
        ...     Question("What is the notice period?"), corpus, Models({"reader": ModelFacts("m")}))
        >>> said = {"worker notes": "- The notice period is three months [1].", "answer": "Three months [1]."}
        >>> run(work, lambda requests: [Completion(said[request.purpose]) for request in requests]).citations[0].source
        'text-1'
    """

    name: ClassVar[str] = "chain-of-agents"

    direction: Direction = "left-to-right"
    paths: int = 3
    portion: int | None = 2_000
    message: int = 256
    max_output: int = 256
    retriever: str | Retriever | None = None
    chunks: int = 32
    templates: Templates = field(default_factory=shipped)

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            raise ConfigError(f"no direction is called {self.direction!r}: there are {', '.join(DIRECTIONS)}")
        least = {"paths": self.paths, "message": self.message, "max_output": self.max_output, "chunks": self.chunks}
        for name, value in {**least, "portion": self.portion}.items():
            if value is not None and value < 1:
                raise ConfigError(f"a chain with {name}={value} reads nothing: give at least 1")

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Build or refresh the retriever's index, where one is used."""
        if self.retriever is not None:
            yield from finding.retriever(self.retriever).prepare(corpus, models)

    def estimate(self, question: Question, corpus: Corpus, models: Models) -> Estimate:
        """What `read` will spend.

        Portions are cut and counted as for reading, and each worker's instructions are counted with the question, so
        that what is guessed is the length of messages alone: one of the usual length from the second worker on. Where
        finding the chunks needs a model, as many taken evenly from the documents stand for them; where there are more
        than some megabytes, their portions are reckoned.

        Raises:
            DoesNotFit: a window has no room for a portion.
        """
        view = readable(question, corpus)
        found, spread = self._likely(question, corpus, view, models)
        chain = self._chain(question, view, models, found, plan=True)
        rewriting = line(question, models, self.templates)
        paths = len(orders(self.direction, min(len(chain.cuts), _ORDERED), self.paths))
        search = (
            finding.search_line(self.retriever, question, models, corpus, self.chunks)
            if self.retriever is not None
            else ()
        )
        return Estimate(
            (
                *rewriting,
                chain_costs.workers(chain, paths, spread, MOST if rewriting else 0),
                *chain_costs.judge(chain, paths, models.of("judge")),
                self._manager(question, chain, view, models, rewriting),
                *search,
            ),
            notes=found.notes if found else (),
        )

    def read(self, question: Question, corpus: Corpus, models: Models) -> Work[Answer]:
        """Workers in turn, then the judge where there are several orders, then the manager.

        Raises:
            LimitError: a window has no room for a portion, or the budget none for all calls; before the first one.
        """
        view = readable(question, corpus)
        asked = yield from alone(question, models, self.templates)
        found = None
        if self.retriever is not None:
            found = yield from finding.find(self.retriever, asked.question, corpus, view, self.chunks, models)
        chain = self._chain(asked.question, view, models, found)
        order = orders(self.direction, len(chain.cuts), self.paths)
        purse = Purse.after(asked, models.of("manager"))
        purse.check_all(self._bill(asked.question, chain, len(order), view, models))
        walked = yield from walk(chain, order, view, purse, self.templates)
        notes, told = yield from chosen(chain, walked, models.of("judge"), purse)
        completion, data = yield from self._answered(asked.question, notes, chain, view, purse)
        return concluded(
            asked,
            completion,
            Numbered(view, tuple(span for cut in chain.cuts for span in cut.spans)),
            view,
            self.name,
            self.templates,
            (*(found.notes if found else ()), *walked.told, *told, *(() if notes else (NOTHING,))),
            evidence=numbers(notes),
            dropped=(*(found.dropped if found else ()), *walked.dropped(chain)),
            read=walked.spans(chain),
            **data,
        )

    def _chain(
        self, question: Question, view: Corpus, models: Models, found: Context | None, *, plan: bool = False
    ) -> Chain:
        """What the workers are asked, with all that they read divided among them.

        Raises:
            DoesNotFit: there is no room for a portion.
        """
        facts = models.of("worker")
        output_tokens(facts, 1)  # refuses a model that does not write
        share = self.message if facts.window is None else max(1, min(self.message, facts.window // _SHARE))
        chain = Chain(Task(_texts(), view.manifest), question.text, facts, output_tokens(facts, share), ())
        room = self._room(chain)
        spans = tuple(dict.fromkeys(s for p in by_document(found.passages) for s in p.spans)) if found else None
        counter, block = facts.counter, chain.task.block
        if plan and spans is None and view.characters > COUNTED:
            several = portion_count(view, room, counter, block, joined=False)
            return replace(chain, cuts=(Cut((), int(room * _FULL)),) * several)
        return replace(chain, cuts=cuts(view, room, counter, block, joined=False, spans=spans))

    def _room(self, chain: Chain) -> int:
        """Tokens of a portion's blocks.

        Raises:
            DoesNotFit: there are hardly any.
        """
        window = chain.facts.window or _UNKNOWN
        instructions = max(chain.bare(), chain.bare("x") + chain.message) + chain_costs.SEAMS
        room = window - instructions - chain.message
        if room < _NARROW:
            raise DoesNotFit(chain.facts.name, window - room + _NARROW, window)
        room = min(room, self.portion or room)
        return room - room % _STEP if room >= 4 * _STEP else room

    def _likely(
        self, question: Question, corpus: Corpus, view: Corpus, models: Models
    ) -> tuple[Context | None, tuple[float, float]]:
        """The chunks that will be read, where not all are, and between which shares of them the real ones are."""
        if self.retriever is None:
            return None, (1.0, 1.0)
        searched = finding.with_history(question)
        found = finding.find_for_nothing(self.retriever, searched, corpus, view, self.chunks, models)
        if found is not None:
            return found, (1.0, 1.0) if not question.history else _SPREAD
        several = len(view.chunks)
        chosen = np.unique(np.linspace(0, several - 1, min(self.chunks, several)).astype(int)) if several else ()
        return Context(tuple(view.passage(view.chunks[int(i)]) for i in chosen)), _SPREAD

    def _reading(self, facts: ModelFacts) -> Reading:
        return Reading(self.name, self.templates, output_tokens(facts, self.max_output))

    def _answered(
        self, question: Question, notes: str, chain: Chain, view: Corpus, purse: Purse
    ) -> Work[tuple[Completion, dict[str, object]]]:
        """The manager's answer; where there is nothing to answer from, the refusal it would have to give."""
        if not notes:
            return Completion(self.templates.refusal), {}
        reading = self._reading(purse.facts)
        prompt = reading.prompt(question, view)
        messages = _managing(question, notes, chain, prompt)
        sampling = Sampling(max_tokens=reading.output, stop=_STOP)
        request = Generate(messages, role="manager", sampling=sampling, schema=prompt.schema, final=True)
        return (yield from last(question, request, prompt, purse))

    def _manager(
        self, question: Question, chain: Chain, view: Corpus, models: Models, rewriting: Sequence[Line]
    ) -> Line:
        """What the manager takes; where no worker finds anything, it is not asked."""
        facts = models.of("manager")
        reading = self._reading(facts)
        bare = facts.counter.render(_managing(question, "x", chain, reading.prompt(question, view))) - 1
        most = bare + chain.message + chain_costs.SEAMS
        prompt = Range(0, bare + min(chain_costs.EXPECTED, chain.message), most)
        [*_, guess] = reading.estimate(question, prompt, rewriting, exact=False).lines
        output, calls = guess.output, guess.calls
        return Line("manager", guess.prompt, Range(0, output.expected, output.high), Range(0, 1, calls.high))

    def _bill(
        self, question: Question, chain: Chain, paths: int, view: Corpus, models: Models
    ) -> list[tuple[int, int]]:
        """(prompt, output) tokens of all calls, at most; a repair of data is asked for where something is left."""
        facts = models.of("manager")
        reading = self._reading(facts)
        bare = facts.counter.render(_managing(question, "x", chain, reading.prompt(question, view)))
        manager = bare + chain.message + chain_costs.SEAMS, reading.output
        facts.must_fit(*manager)
        return [*chain_costs.bill(chain, paths, models.of("judge")), manager]


def _managing(question: Question, notes: str, chain: Chain, prompt: Prompt) -> tuple[Message, ...]:
    """The manager's prompt: the notes, then the question as every strategy asks it."""
    told = chain.task.texts.fill("manager")
    return chain.task.around(f"{told}\n\n{prompt.ask(question)}", notes=[notes])


def _texts() -> Texts:
    return texts(_FILE, _SLOTS)
