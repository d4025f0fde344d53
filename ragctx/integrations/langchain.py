"""ragctx inside LangChain: a retriever, document compressors and a runnable. Needs the extra `langchain`.

Only `langchain_core` is imported, so that the adapters outlive LangChain's other packages.

    from ragctx.integrations.langchain import RagctxCompressor, RagctxReranker, RagctxRetriever, as_runnable

    chain = RagctxRetriever(corpus=Corpus.over("contracts/")) | format_documents | prompt | model
    shorter = RagctxCompressor(compressor="provence", budget=600).compress_documents(documents, question)
    sorted_ = RagctxReranker(top_n=5).compress_documents(documents, question)
    answers = as_runnable(Pipeline.over("contracts/"))
"""

from __future__ import annotations

import logging
from functools import cached_property
from typing import Any

from ragctx import registry
from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.engine import Engine
from ragctx.errors import MissingExtra
from ragctx.types import Context, Passage, Question
from ragctx.work import Work

try:
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever
    from pydantic import ConfigDict

    from ragctx.integrations.langchain_compressors import RagctxCompressor, RagctxReranker
    from ragctx.integrations.langchain_runnable import PipelineRunnable, as_runnable
except ImportError as missing:
    raise MissingExtra("the LangChain integration", "langchain", "langchain-core") from missing

__all__ = ["PipelineRunnable", "RagctxCompressor", "RagctxReranker", "RagctxRetriever", "as_runnable"]
_log = logging.getLogger(__name__)


class RagctxRetriever(BaseRetriever):  # type: ignore[misc]  # the base class is untyped to mypy
    """Retrieves passages of a corpus; every document says where its text stands.

    A document's metadata has `source`, `document` (id in the corpus), `page`, `start` and `end` (characters of the
    extracted text) and `score`. With the `local` extra, dense and hybrid retrieval use the default encoder; without it
    hybrid is BM25 alone, which is logged as a warning.

    Attributes:
        corpus: what is searched. retriever: a registered name, or a ragctx retriever.
        limit: the most chunks; neighbours are joined into one document.
        where: filters documents, metadata, pages.
        engine: drives retrieval that asks a model; e.g. `pipeline.engine`, to share its encoder.

    Example:
        >>> corpus = Corpus.of("Pets are fine.", "Rent is ten.")
        >>> [found] = RagctxRetriever(corpus=corpus, retriever="bm25").invoke("What is the rent?")
        >>> found.page_content, found.metadata["document"], found.metadata["start"]
        ('Rent is ten.', 'text-2', 0)
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, ignored_types=(cached_property,))

    corpus: Corpus
    retriever: Any = "hybrid"
    limit: int = 8
    where: Any = None
    engine: Engine | None = None

    def _get_relevant_documents(self, query: str, *, run_manager: object) -> list[Document]:
        return self._told(self._driver.run(self._search(query)).result())

    async def _aget_relevant_documents(self, query: str, *, run_manager: object) -> list[Document]:
        return self._told((await self._driver.arun(self._search(query))).result())

    @cached_property
    def _driver(self) -> Engine:
        """The engine given, or one with the default encoder where that is installed and wanted."""
        from ragctx.encoders import DEFAULT, available, open_encoder

        if self.engine is not None:
            return self.engine
        wanted = self.retriever != "bm25" and available(DEFAULT)
        return Engine({"encoder": open_encoder(DEFAULT)} if wanted else {})

    def _search(self, query: str) -> Work[Context]:
        """Work that brings the index up to date, then searches; both return at once where nothing is to be done."""
        named = self.retriever
        searcher: Retriever = registry.make("retrievers", named) if isinstance(named, str) else named
        models = self._driver.models
        yield from searcher.prepare(self.corpus, models)
        question = Question(query, where=self.where)
        return (yield from searcher.retrieve(question, self.corpus, self.limit, models))

    def _told(self, context: Context) -> list[Document]:
        for note in context.notes:
            _log.warning("%s", note)
        return [_document(passage) for passage in context.passages]


def _document(passage: Passage) -> Document:
    first, last = passage.spans[0], passage.spans[-1]
    place = {"source": passage.source, "document": first.document, "page": passage.page, "score": passage.score}
    return Document(page_content=passage.text, metadata={**place, "start": first.start, "end": last.end})
