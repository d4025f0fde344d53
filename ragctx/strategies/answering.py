"""The last call of a strategy: passages and a question in, a grounded answer out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ragctx.corpus import Corpus
from ragctx.errors import RequestFailed
from ragctx.grounding import declined, grounded, sentences
from ragctx.models import Models
from ragctx.prompts import Prompt, Templates
from ragctx.strategies.limits import Ceiling
from ragctx.strategies.standalone import Asked
from ragctx.types import Answer, Context, Estimate, Line, Question, Range
from ragctx.work import Completion, Generate, Sampling, Work, ask

# What an answer in few words is expected to take; only plans rest on it.
EXPECTED_OUTPUT = 40
# A small model that goes on after its answer asks itself the next question, in the form of the prompt's.
_STOP = ("\nQuestion:",)
# A reply that is not valid data comes back with about this many tokens of explanation.
_REPAIR = 64
_RECOVERED = "words that compression had dropped were put back into what the answer copies"


@dataclass(frozen=True, slots=True)
class Origin:
    """What a compressed context was cut from.

    Attributes:
        evidence: the same passages, one for one, with their sentences whole: where citations are looked up.
        recover: puts back into an answer the words that were dropped from what it copies.
    """

    evidence: Context
    recover: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything the answering call needs besides the passages.

    Attributes:
        strategy: name of the strategy. templates: the prompt's texts.
        output: most tokens the model may write. logprobs: ask for log-probabilities, which give a confidence.
    """

    strategy: str
    templates: Templates
    output: int
    logprobs: bool = False

    def prompt(self, question: Question, corpus: Corpus) -> Prompt:
        """How the prompt is written for one corpus."""
        from ragctx.structured import schema

        return Prompt(self.templates, corpus.manifest, schema(question.answer_type) if question.answer_type else "")

    def answer(
        self,
        asked: Asked,
        context: Context,
        corpus: Corpus,
        models: Models,
        ceiling: Ceiling,
        origin: Origin | None = None,
    ) -> Work[Answer]:
        """Ask for the answer and ground it.

        Args:
            asked: the question.
            context: what is read, in reading order.
            corpus: what the question may read.
            models: facts about the models.
            ceiling: of the prompt; checked here on the rendered request.
            origin: what the context was cut from, where it was compressed.

        Raises:
            LimitError: the rendered prompt is over the ceiling. RequestFailed: the model's reply is of no use.
        """
        prompt = self.prompt(asked.question, corpus)
        messages = prompt.messages(context.passages, asked.question)
        ceiling.check(models.reader.counter.render(messages))
        sampling = Sampling(max_tokens=self.output, logprobs=self.logprobs, stop=_STOP)
        request = Generate(messages, sampling=sampling, schema=prompt.schema, final=True)
        completion = yield from ask(request)
        if asked.question.answer_type is None:
            must_say_something(completion.text)
            return self._grounded(asked, completion, context, corpus, origin)
        data, completion = yield from self._data(asked, request, completion, prompt, models)
        return self._grounded(asked, completion, context, corpus, origin, data=data)

    def _grounded(
        self,
        asked: Asked,
        completion: Completion,
        context: Context,
        corpus: Corpus,
        origin: Origin | None,
        **data: object,
    ) -> Answer:
        notes, evidence = asked.notes, context
        if origin is not None:
            evidence = origin.evidence
            if not data and (text := origin.recover(completion.text)) != completion.text:
                notes = (*notes, _RECOVERED)
                completion = replace(completion, text=text)
        answer = grounded(
            asked.question, self.strategy, completion, evidence, corpus,
            templates=self.templates, notes=notes, **data,
        )  # fmt: skip
        # Sentences are cited whole; what was read of them is less.
        return answer if origin is None else replace(answer, coverage=corpus.coverage(context.spans))

    def _data(
        self, asked: Asked, request: Generate, completion: Completion, prompt: Prompt, models: Models
    ) -> Work[tuple[object, Completion]]:
        """The reply as data; one that is not valid is sent back once, with what is wrong with it."""
        from ragctx.structured import parse

        kind = asked.question.answer_type
        assert kind is not None
        parsed = parse(kind, completion.text)
        if parsed.problem and not declined(completion.text, self.templates):
            again = prompt.repair(request.messages, completion.text, parsed.problem)
            models.reader.must_fit(models.reader.counter.render(again), self.output)
            completion = yield from ask(replace(request, messages=again, purpose="repair", final=False))
            parsed = parse(kind, completion.text)
        if parsed.problem and not declined(completion.text, self.templates):
            raise RequestFailed(
                "malformed",
                f"two replies do not follow {kind.__name__}: {parsed.problem}; use a simpler answer_type, a larger "
                "max_output, or a model with structured output",
            )
        return parsed.data, completion

    def estimate(
        self, question: Question, prompt: Range, rewriting: Sequence[Line], *, exact: bool, notes: tuple[str, ...] = ()
    ) -> Estimate:
        """The estimate of this call and the rewriting before it."""
        output = Range(1, min(EXPECTED_OUTPUT, self.output), self.output)
        calls = Range.exactly(1)
        if question.answer_type is not None:
            prompt = Range(prompt.low, prompt.expected, 2 * prompt.high + self.output + _REPAIR)
            output = Range(output.low, output.expected, 2 * output.high)
            calls = Range(1, 1, 2)
        if rewriting:
            longest = rewriting[0].output.high
            prompt = Range(max(0, prompt.low - longest), prompt.expected, prompt.high + longest)
        known = exact and not rewriting and question.answer_type is None
        return Estimate((*rewriting, Line("reader", prompt, output, calls)), exact=known, notes=notes)


def must_say_something(text: str) -> None:
    """Refuse a reply of citation marks alone: without them it is empty.

    Raises:
        RequestFailed: nothing else is in it.
    """
    if not sentences(text)[0].strip(" .,;:"):
        told = f"the model cited passages and said nothing ({' '.join(text.split())[:60]!r})"
        raise RequestFailed("empty", f"{told}: ask in other words, or use a larger model")
