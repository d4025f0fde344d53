"""A pipeline as a LangChain runnable; import it from `ragctx.integrations.langchain`, which checks for the package."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import Runnable, RunnableConfig

from ragctx.engine import Delta
from ragctx.errors import InputError, RequestFailed
from ragctx.questions import Questions
from ragctx.types import Answer, Budget, Question

if TYPE_CHECKING:
    from ragctx.pipeline import Event, Pipeline


class PipelineRunnable(Runnable[Any, Any]):  # type: ignore[misc]  # as above
    """A pipeline as a step of a chain: made by `as_runnable`."""

    def __init__(self, pipeline: Pipeline, budget: int | Budget | None, strategy: str | None, *, text: bool) -> None:
        self.name = "ragctx"
        self._pipeline, self._text = pipeline, text
        self._how: dict[str, Any] = {"budget": budget, "strategy": strategy}

    def invoke(self, input: object, config: RunnableConfig | None = None, **kwargs: object) -> Any:  # noqa: ANN401
        """The answer to one question."""
        return self._call_with_config(self._ask, input, config, run_type="chain")

    async def ainvoke(self, input: object, config: RunnableConfig | None = None, **kwargs: object) -> Any:  # noqa: ANN401
        """`invoke` for async callers."""
        return await self._acall_with_config(self._aask, input, config, run_type="chain")

    def stream(self, input: object, config: RunnableConfig | None = None, **kwargs: object) -> Iterator[Any]:
        """The answer's text piece by piece, as the model writes it."""
        if not self._text:
            yield self.invoke(input, config)
            return
        told = _Told()
        for event in self._pipeline.stream(_question(input), **self._how):
            yield from told.hear(event)

    async def astream(
        self, input: object, config: RunnableConfig | None = None, **kwargs: object
    ) -> AsyncIterator[Any]:
        """`stream` for async callers."""
        if not self._text:
            yield await self.ainvoke(input, config)
            return
        told = _Told()
        async for event in self._pipeline.astream(_question(input), **self._how):
            for piece in told.hear(event):
                yield piece

    def _ask(self, input: object) -> str | Answer:
        return self._shown(self._pipeline.ask(_question(input), **self._how))

    async def _aask(self, input: object) -> str | Answer:
        return self._shown(await self._pipeline.aask(_question(input), **self._how))

    def _shown(self, answer: Answer) -> str | Answer:
        return answer.text if self._text else answer


def as_runnable(
    pipeline: Pipeline, *, budget: int | Budget | None = None, strategy: str | None = None, text: bool = True
) -> PipelineRunnable:
    """A pipeline as a LangChain runnable: invoke, ainvoke, batch, abatch, stream, astream.

    The input is a text, a `Question`, or a mapping such as {"question": ..., "history": [...], "where": {...}}.
    Streamed text is what the model writes, with the marks of its citations; the invoked answer is without them.

    Args:
        pipeline: answers the questions; it stays the caller's to close.
        budget: ceiling for each question.
        strategy: use this one, instead of letting the router choose.
        text: give texts, which fit the next step of a chain; False gives whole `Answer`s with citations and usage.
    """
    return PipelineRunnable(pipeline, budget, strategy, text=text)


class _Told:
    """Turns a pipeline's events into text that is only ever added to."""

    def __init__(self) -> None:
        self.said = False

    def hear(self, event: Event) -> Iterator[str]:
        """New text of the event; the whole answer at the end where a strategy streamed nothing."""
        answer = getattr(event, "answer", None)
        text = event.text if isinstance(event, Delta) else answer.text if answer and not self.said else ""
        if self.said and isinstance(event, Delta) and event.restart:
            raise RequestFailed(
                "malformed",
                "a retry began the answer anew after part of it had been streamed: use invoke, or Pipeline.stream, "
                "whose events say when to begin again",
            )
        if text:
            self.said = True
            yield text


def _question(value: object) -> Question:
    if isinstance(value, (str, Question, Mapping)):
        return Questions.one(value)
    raise InputError(f"a question is a text, a Question or a mapping with 'question', not {type(value).__name__}")
