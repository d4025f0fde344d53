"""Document compressors for LangChain; import them from `ragctx.integrations.langchain`, which checks for the package.

They stand wherever LangChain takes a `BaseDocumentCompressor`, as in a `ContextualCompressionRetriever`, or in a chain:

    shorter = RagctxCompressor(compressor="provence", budget=600)
    chain = retriever | RunnableLambda(lambda found: shorter.compress_documents(found, question)) | ...
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, cast

from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import ConfigDict, Field

from ragctx import registry
from ragctx.assembly import AUTO, open_reader, open_scorer
from ragctx.contracts import Backend, Compressor, Costed
from ragctx.encoders import DEFAULT as ENCODER
from ragctx.encoders import RANKER, available, open_encoder, open_ranker
from ragctx.engine import Engine
from ragctx.errors import ConfigError
from ragctx.integrations.narrowing import Narrow
from ragctx.models import ModelFacts, Models
from ragctx.readers.scripted import Scripted
from ragctx.strategies.reranking import Reranking
from ragctx.types import Context, Passage, Question, Span
from ragctx.types.names import worded
from ragctx.work import Relevances, Reply, Request, Rerank, Work, raised, run

_log = logging.getLogger(__name__)
_ROLES = frozenset({"ranker", "encoder", "scorer", "reader"})


class _Working(BaseDocumentCompressor):  # type: ignore[misc]  # the base class is untyped to mypy
    """What both have in common: work on documents, and an engine that drives it."""

    model_config = ConfigDict(arbitrary_types_allowed=True, ignored_types=(cached_property,))

    ranker: Any = RANKER
    engine: Engine | None = None

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: object = None
    ) -> Sequence[Document]:
        """What the query needs of the documents."""
        work, driver = self._work(documents, query), self._driver
        return driver.run(work).result() if driver else run(work, _no_model)

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: object = None
    ) -> Sequence[Document]:
        """`compress_documents` for async callers."""
        driver = await asyncio.to_thread(lambda: self._driver)
        if driver is None:
            return await asyncio.to_thread(self.compress_documents, documents, query)
        return (await driver.arun(self._work(documents, query))).result()

    @cached_property
    def _driver(self) -> Engine | None:
        """The engine given, or one with the models named; none where nobody is to be asked."""
        if self.engine is not None:
            return self.engine
        backends = self._backends()
        return Engine(backends) if backends else None

    def _backends(self) -> dict[str, Backend]:
        """The models that are asked, by role; no weights are read yet."""
        return {} if self.ranker is None else {"ranker": open_ranker(self.ranker)}

    def _work(self, documents: Sequence[Document], query: str) -> Work[list[Document]]:
        raise NotImplementedError


class RagctxCompressor(_Working):
    """Narrows documents to a token budget, whatever retriever they come from.

    Each returned document keeps its metadata and gains `spans`: which characters of the text it came with were kept, as
    [start, end] pairs, and `relevance_score` where the compressor says one. Documents of which nothing was kept are
    left out. "provence" keeps the sentences that the query needs, as the model that comes with ragctx weighs them;
    "longllmlingua" keeps words, as a small language model finds them likelier with the query than without it.

    Only the models that the compressor asks are opened.

    Attributes:
        budget: most tokens of all documents together, by the counter of the reader.
        compressor: a ragctx compressor or the name of a registered one; by default `Narrow`, which goes by the
            question's words and asks no model.
        models: facts that count for more than the engine's, e.g. who counts tokens: an estimate from characters where
            neither names a reader.
        ranker, encoder, scorer: models that the compressor may ask where no engine is given: names or backends; None
            for none, "auto" for the installed default.
        reader: the model that counts tokens, and that writes for compressors which let it; none by default.
        engine: drives the compressor with the models of a pipeline: `pipeline.engine`.

    Example:
        >>> pages = [Document("Pets are fine. " * 30 + "The rent is ten.")]
        >>> narrow = RagctxCompressor(budget=20, compressor=Narrow(words=8))
        >>> [kept] = narrow.compress_documents(pages, "What is the rent?")
        >>> kept.page_content, kept.metadata["spans"]
        ('The rent is ten.', [[450, 466]])
        >>> from ragctx.readers.scripted import Scripted
        >>> prune = RagctxCompressor(budget=6, compressor="provence", ranker=Scripted())
        >>> prune.compress_documents(pages, "What is the rent?")[0].page_content
        'The rent is ten.'
    """

    budget: int = 2000
    compressor: Any = Narrow()
    models: Any = None
    encoder: Any = AUTO
    scorer: Any = AUTO
    reader: Any = None

    def _backends(self) -> dict[str, Backend]:
        named = {"ranker": self.ranker, "encoder": self.encoder, "scorer": self.scorer, "reader": self.reader}
        wanted = roles_asked(self._narrow) | {"reader"}
        opened = {role: _open(role, model) for role, model in named.items() if role in wanted and model is not None}
        return {role: backend for role, backend in opened.items() if backend is not None}

    @property
    def _narrow(self) -> Compressor:
        named = self.compressor
        return cast("Compressor", registry.make("compressors", named)) if isinstance(named, str) else named

    def _work(self, documents: Sequence[Document], query: str) -> Work[list[Document]]:
        narrow = self._narrow
        context = Context(tuple(_passage(number, document) for number, document in enumerate(documents)))
        found = yield from narrow.compress(Question(query), context, self.budget, self._facts())
        for note in found.notes:
            _log.warning("%s", note)
        return [_regained(passage, documents) for passage in found.passages]

    def _facts(self) -> Models:
        driven = self._driver.models.roles if self._driver else {}
        told = self.models.roles if self.models else {}
        return Models({"reader": ModelFacts("estimate"), **driven, **told})


class RagctxReranker(_Working):
    """Sorts documents by how likely each answers the query; `relevance_score` in their metadata says how likely.

    Attributes:
        ranker: the model that weighs documents where no engine is given: a name or a backend.
        top_n: the most documents to return; all of them when None.
        floor: 0 to 1; documents less likely to answer are left out.
        fuse: what the model says counts together with the order in which the documents came, as search and model err
            on different questions; False sorts by the model alone.
        engine: one with a ranker, e.g. `pipeline.engine`.

    Example:
        >>> from ragctx.readers.scripted import Scripted
        >>> pages = [Document("Pets are fine."), Document("The rent is ten.")]
        >>> [best] = RagctxReranker(ranker=Scripted(), top_n=1).compress_documents(pages, "What is the rent?")
        >>> best.page_content, best.metadata["relevance_score"]
        ('The rent is ten.', 0.75)
    """

    top_n: int | None = Field(default=None, ge=1)
    floor: float = Field(default=0.0, ge=0, le=1)
    fuse: bool = True

    def _work(self, documents: Sequence[Document], query: str) -> Work[list[Document]]:
        if self._driver is None:
            raise ConfigError("nobody ranks: give RagctxReranker a ranker, e.g. ranker='extractive', or an engine")
        if not documents:
            return []
        passages = [_passage(number, document) for number, document in enumerate(documents)]
        titles = tuple(str(document.metadata.get("title") or worded(_source(document))) for document in documents)
        [reply] = yield [Rerank(query, tuple(p.text for p in passages), titles=titles if any(titles) else ())]
        values = cast("Relevances", raised(reply)).values
        scores: Sequence[float] = Reranking().scores(values) if self.fuse else values
        order = sorted(range(len(values)), key=lambda i: (-scores[i], i))
        staying = [replace(passages[i], score=values[i]) for i in order if values[i] >= self.floor]
        return [_scored(passage, documents) for passage in staying[: self.top_n]]


def roles_asked(compressor: Compressor) -> frozenset[str]:
    """The roles that a compressor asks, by its own estimate; every one where it does not say.

    Example:
        >>> sorted(roles_asked(registry.make("compressors", "provence"))), sorted(roles_asked(Narrow()))
        (['ranker'], [])
    """
    if isinstance(compressor, Narrow):
        return frozenset()
    every = Models({role: replace(Scripted().facts, name=role) for role in _ROLES})
    if not isinstance(compressor, Costed):
        return _ROLES
    return frozenset(line.role for line in compressor.estimate(10_000, 40, 10, 500, every))


def _open(role: str, model: object) -> Backend | None:
    """A model by the role that it plays; none where the default is not installed."""
    if role == "ranker":
        return open_ranker(model)
    if role == "encoder":
        return None if model == AUTO and not available(ENCODER) else open_encoder(ENCODER if model == AUTO else model)
    return open_scorer(model) if role == "scorer" else open_reader(model)[0]


def _no_model(requests: Sequence[Request]) -> Sequence[Reply]:
    role = requests[0].role
    raise ConfigError(f"this compressor asks a {role}: give RagctxCompressor {role}=..., or engine=pipeline.engine")


def _passage(number: int, document: Document) -> Passage:
    """A LangChain document as a passage whose document is its number."""
    title = str(document.metadata.get("title") or _source(document))
    return Passage(document.page_content, (Span(str(number), 0, len(document.page_content)),), title)


def _source(document: Document) -> str:
    return str(document.metadata.get("source") or "")


def _scored(passage: Passage, given: Sequence[Document]) -> Document:
    """A LangChain document again, with the metadata of the one it was cut from."""
    metadata = dict(given[int(passage.spans[0].document)].metadata)
    if passage.score is not None:
        metadata["relevance_score"] = passage.score
    return Document(page_content=passage.text, metadata=metadata)


def _regained(passage: Passage, given: Sequence[Document]) -> Document:
    document = _scored(passage, given)
    document.metadata["spans"] = [[span.start, span.end] for span in passage.spans]
    return document
