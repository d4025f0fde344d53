from __future__ import annotations

import asyncio
import json
import logging
from importlib import resources

import pytest
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.runnables import RunnableLambda
from pydantic import ValidationError

from ragctx import registry
from ragctx.encoders.extractive import missing
from ragctx.engine import Engine
from ragctx.errors import BadQuestion, ConfigError, RequestFailed, UnknownName
from ragctx.integrations.langchain import RagctxCompressor, RagctxReranker
from ragctx.integrations.langchain_compressors import roles_asked
from ragctx.models import ModelFacts, Models
from ragctx.readers.scripted import Scripted
from ragctx.work import Rerank

PAGES = (
    Document("Windows are washed. " * 30, metadata={"source": "b.txt"}),
    Document("Pets are fine. " * 30 + "The rent is ten crowns.", metadata={"source": "a.txt", "page": 2}),
    Document("Pets pay no rent.", metadata={"title": "Pets"}),
)
ASKED = "What is the rent?"


class TestProvence:
    def test_it_is_a_document_compressor_and_keeps_what_is_needed(self) -> None:
        compressor = RagctxCompressor(compressor="provence", budget=9, ranker=Scripted())
        assert isinstance(compressor, BaseDocumentCompressor)
        [kept] = compressor.compress_documents(PAGES, ASKED)
        assert kept.page_content == "The rent is ten crowns."
        assert kept.metadata == {"source": "a.txt", "page": 2, "spans": [[450, 473]]}

    def test_options_are_those_of_the_object_given(self) -> None:
        provence = registry.make("compressors", "provence", threshold=0.25, order="relevance", fuse=False)
        found = RagctxCompressor(compressor=provence, ranker=Scripted()).compress_documents(PAGES, ASKED)
        assert [document.page_content for document in found] == ["The rent is ten crowns.", "Pets pay no rent."]
        assert [document.metadata["relevance_score"] for document in found] == [0.75, 0.25]

    def test_async_is_the_same(self) -> None:
        compressor = RagctxCompressor(compressor="provence", budget=20, ranker=Scripted())
        found = asyncio.run(compressor.acompress_documents(PAGES, ASKED))
        assert found == compressor.compress_documents(PAGES, ASKED)

    def test_an_engine_given_is_used_and_its_reader_counts(self) -> None:
        ranker, reader = Scripted(), Scripted()
        with Engine({"reader": reader, "ranker": ranker}) as engine:
            compressor = RagctxCompressor(compressor="provence", budget=6, engine=engine)
            assert [found.page_content for found in compressor.compress_documents(PAGES, ASKED)] == [
                "The rent is ten crowns."
            ]
            assert ranker.calls
            stingy = RagctxCompressor(
                compressor="provence", budget=6, engine=engine, models=Models({"reader": ModelFacts("estimate")})
            )
            assert stingy.compress_documents(PAGES, ASKED) != compressor.compress_documents(PAGES, ASKED)

    def test_titles_reach_the_ranker(self) -> None:
        ranker = Scripted()
        RagctxCompressor(compressor="provence", ranker=ranker).compress_documents(PAGES, ASKED)
        [[request]] = ranker.calls
        assert isinstance(request, Rerank)
        assert request.titles == ("b", "a", "Pets")

    def test_nothing_to_compress_and_what_cannot_be_asked(self) -> None:
        compressor = RagctxCompressor(compressor="provence", ranker=Scripted())
        assert compressor.compress_documents([], ASKED) == []
        assert compressor.compress_documents([Document("")], ASKED) == []
        with pytest.raises(BadQuestion):
            compressor.compress_documents(PAGES, " ")
        with pytest.raises(UnknownName, match="provence"):
            RagctxCompressor(compressor="provense", ranker=Scripted()).compress_documents(PAGES, ASKED)

    def test_without_any_ranker_the_remedy_is_named(self) -> None:
        with pytest.raises(ConfigError, match="ranker"):
            RagctxCompressor(compressor="provence", ranker=None).compress_documents(PAGES, ASKED)

    def test_a_fall_back_is_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        ranker = Scripted()
        rankless = ModelFacts("plain", kinds=frozenset({"Rerank"}))
        with Engine({"ranker": ranker}) as engine, caplog.at_level(logging.WARNING):
            compressor = RagctxCompressor(
                compressor="provence", budget=9, engine=engine, models=Models({"ranker": rankless})
            )
            assert compressor.compress_documents(PAGES, ASKED)
        assert "plain ranks texts only" in caplog.text


def served() -> list[str]:
    """Compressors that make do with what scripted models say; the others need a checkpoint of their own."""
    return [name for name in registry.names("compressors") if name not in {"llmlingua", "llmlingua2"}]


class TestEach:
    @pytest.mark.parametrize("name", served())
    def test_every_compressor_is_served_by_name(self, name: str) -> None:
        models = {role: Scripted(default="1. rent: 2") for role in ("ranker", "encoder", "scorer", "reader")}
        compressor = RagctxCompressor(compressor=name, budget=40, **models)
        try:
            found = compressor.compress_documents(PAGES, ASKED)
        except RequestFailed:
            assert name == "structurization", "what a script writes is no outline"
            return
        counter = models["reader"].facts.counter
        assert counter.count("\n\n".join(document.page_content for document in found)) <= 40
        for document in found:
            assert document.metadata["spans"]
            assert document.metadata.get("source") or document.metadata.get("title")

    def test_only_the_models_that_are_asked_are_opened(self) -> None:
        words = RagctxCompressor(compressor="longllmlingua", budget=12, scorer=Scripted(), ranker="no such ranker")
        assert words.compress_documents(PAGES, ASKED)
        assert roles_asked(registry.make("compressors", "longllmlingua")) == {"scorer"}

    def test_the_remedy_is_named(self) -> None:
        words = RagctxCompressor(compressor="longllmlingua", scorer=None)
        with pytest.raises(ConfigError, match="scorer"):
            words.compress_documents([Document("word " * 3000)], ASKED)


class TestReranker:
    def test_documents_are_sorted_and_say_how_likely(self) -> None:
        found = RagctxReranker(ranker=Scripted(), fuse=False).compress_documents(PAGES, ASKED)
        assert [document.metadata["relevance_score"] for document in found] == [0.75, 0.25, 0.0]
        assert found[0].metadata["page"] == 2
        assert found[0].page_content == PAGES[1].page_content
        assert "relevance_score" not in PAGES[1].metadata

    def test_titles_reach_the_ranker_and_a_path_is_no_title(self) -> None:
        ranker = Scripted()
        far = Document("Rent.", metadata={"source": "/a/folder/far/away/kestrel_wharf-2024.pdf", "title": ""})
        named = Document("Rent.", metadata={"source": "x.pdf", "title": "AC/DC v1.2"})
        RagctxReranker(ranker=ranker).compress_documents([far, named], ASKED)
        [[request]] = ranker.calls
        assert request.titles == ("kestrel wharf 2024", "AC/DC v1.2")

    def test_the_first_ones_and_none_below_the_floor(self) -> None:
        ranker = Scripted()
        assert len(RagctxReranker(ranker=ranker, top_n=2).compress_documents(PAGES, ASKED)) == 2
        assert len(RagctxReranker(ranker=ranker, floor=0.5).compress_documents(PAGES, ASKED)) == 1
        assert RagctxReranker(ranker=ranker).compress_documents([], ASKED) == []

    @pytest.mark.parametrize("options", [{"top_n": 0}, {"top_n": -1}, {"floor": 5.0}, {"floor": -0.1}])
    def test_limits_that_make_no_sense_are_refused(self, options: dict[str, float]) -> None:
        with pytest.raises(ValidationError, match=next(iter(options))):
            RagctxReranker(ranker=Scripted(), **options)

    def test_places_of_the_search_count_along(self) -> None:
        pages = [Document(text) for text in ("What is it?", "What is there?", "What is the answer?", "What is rent?")]
        alone = RagctxReranker(ranker=Scripted(), fuse=False).compress_documents(pages, "What is?")
        fused = RagctxReranker(ranker=Scripted()).compress_documents(pages, "What is rent?")
        assert [document.page_content for document in alone] == [page.page_content for page in pages]
        assert fused[0].page_content in {"What is it?", "What is rent?"}

    def test_async_and_in_a_chain(self) -> None:
        reranker = RagctxReranker(ranker=Scripted(), top_n=1)
        found = asyncio.run(reranker.acompress_documents(PAGES, ASKED))
        assert found == reranker.compress_documents(PAGES, ASKED)
        chain = RunnableLambda(lambda query: list(PAGES)) | RunnableLambda(
            lambda pages: reranker.compress_documents(pages, ASKED)[0].metadata["page"]
        )
        assert chain.batch([ASKED, ASKED]) == [2, 2]

    def test_without_a_ranker(self) -> None:
        with pytest.raises(ConfigError, match="RagctxReranker a ranker"):
            RagctxReranker(ranker=None).compress_documents(PAGES, ASKED)


def version() -> str:
    """Of the reading model that comes along; empty where it does not."""
    if missing():
        return ""
    card = resources.files("ragctx.encoders.extractive") / "weights" / "card.json"
    return str(json.loads(card.read_text("utf-8"))["version"])


@pytest.mark.skipif(not version() or "dev" in version(), reason="the trained weights are not here")
def test_both_with_the_model_that_comes_along() -> None:
    pages = [
        Document("The harbour opens at nine. Bread is sold on Mondays. The ferry to Skerrow takes two hours."),
        Document("The library was built in 1931 by Ada Moss. It holds forty thousand books."),
    ]
    asked = "Who built the library?"
    [best] = RagctxReranker(top_n=1, fuse=False).compress_documents(pages, asked)
    assert best.page_content == pages[1].page_content
    [kept] = RagctxCompressor(compressor="provence", budget=15).compress_documents(pages, asked)
    assert kept.page_content == "The library was built in 1931 by Ada Moss."
