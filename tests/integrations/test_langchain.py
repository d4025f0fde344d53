from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import RunnableLambda

from ragctx import Answer, Corpus, Pipeline, Question, Where
from ragctx.engine import Delta, Engine
from ragctx.errors import ConfigError, InputError, RequestFailed
from ragctx.integrations.langchain import RagctxCompressor, RagctxRetriever, as_runnable
from ragctx.pipeline import Done
from ragctx.readers.scripted import Rule, Scripted
from ragctx.types import Context
from ragctx.work import Embed, Work

TEXTS = ("The notice period is three months.", "Pets are welcome in the yard.", "The rent is ten crowns.")


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus.of(*TEXTS, folder=tmp_path / "index")


@pytest.fixture
def pipeline(corpus: Corpus) -> Iterator[Pipeline]:
    # The documents stand in the same prompt: a rule must match words of the question alone.
    rules = [Rule("is the rent?", "Ten crowns. [1]"), Rule("is the notice period?", "Three months. [1]")]
    reader = Scripted(rules, default="It does not say.")
    with Pipeline(corpus, {"reader": reader}) as made:
        yield made


class TestRetriever:
    def test_documents_say_where_they_stand(self, corpus: Corpus) -> None:
        [found] = RagctxRetriever(corpus=corpus, retriever="bm25", limit=1).invoke("How long is the notice period?")
        assert found.page_content == TEXTS[0]
        place = found.metadata
        assert corpus.document(place["document"]).text[place["start"] : place["end"]] == found.page_content
        assert place["score"] > 0
        assert place.keys() == {"source", "document", "page", "start", "end", "score"}

    def test_async_finds_the_same(self, corpus: Corpus) -> None:
        retriever = RagctxRetriever(corpus=corpus, retriever="bm25")
        assert asyncio.run(retriever.ainvoke("pets and rent")) == retriever.invoke("pets and rent")

    def test_a_filter_is_obeyed(self, corpus: Corpus) -> None:
        retriever = RagctxRetriever(corpus=corpus, retriever="bm25", where=Where(documents=("text-2",)))
        assert [found.page_content for found in retriever.invoke("rent and pets")] == [TEXTS[1]]

    def test_an_engine_given_is_used_and_its_encoder_asked(self, corpus: Corpus) -> None:
        encoder = Scripted()
        with Engine({"encoder": encoder}) as engine:
            found = RagctxRetriever(corpus=corpus, retriever="hybrid", engine=engine).invoke("rent")
        assert found[0].page_content == TEXTS[2]
        assert any(request.query for call in encoder.calls for request in call if isinstance(request, Embed))

    def test_a_fall_back_is_logged(self, corpus: Corpus, caplog: pytest.LogCaptureFixture) -> None:
        with Engine({}) as engine, caplog.at_level(logging.WARNING):
            RagctxRetriever(corpus=corpus, retriever="hybrid", engine=engine).invoke("rent")
        assert "BM25 alone" in caplog.text

    def test_it_stands_in_a_chain(self, corpus: Corpus) -> None:
        retriever = RagctxRetriever(corpus=corpus, retriever="bm25", limit=1)
        chain = retriever | RunnableLambda(lambda found: found[0].page_content)
        assert chain.batch(["notice?", "rent?"]) == [TEXTS[0], TEXTS[2]]


class TestCompressor:
    pages = (
        Document("Pets are fine. " * 30 + "The rent is ten.", metadata={"source": "a.txt", "page": 2}),
        Document("Windows are washed. " * 30, metadata={"source": "b.txt"}),
    )

    def test_documents_are_narrowed_and_keep_their_metadata(self) -> None:
        [kept] = RagctxCompressor(budget=40).compress_documents(self.pages, "What is the rent?")
        assert kept.page_content.endswith("The rent is ten.")
        assert kept.metadata["source"] == "a.txt"
        assert kept.metadata["page"] == 2
        pieces = [self.pages[0].page_content[start:end] for start, end in kept.metadata["spans"]]
        assert " ".join(pieces) == kept.page_content

    def test_async_narrows_the_same(self) -> None:
        compressor = RagctxCompressor(budget=40)
        found = asyncio.run(compressor.acompress_documents(self.pages, "What is the rent?"))
        assert found == compressor.compress_documents(self.pages, "What is the rent?")

    def test_what_fits_and_nothing_at_all(self) -> None:
        roomy = RagctxCompressor(budget=10_000).compress_documents(self.pages, "rent?")
        assert [document.page_content for document in roomy] == [document.page_content for document in self.pages]
        assert RagctxCompressor().compress_documents([], "rent?") == []

    def test_any_ragctx_compressor_may_be_given_and_one_that_asks_a_model_needs_an_engine(self) -> None:
        class Asking:
            name = "asking"

            def compress(self, question: Question, context: Context, budget: int, models: object) -> Work[Context]:
                yield [Embed((question.text,), role="encoder")]
                return context.with_passages(context.passages[:1])

        with pytest.raises(ConfigError, match="engine"):
            RagctxCompressor(compressor=Asking(), ranker=None, encoder=None, scorer=None).compress_documents(
                self.pages, "rent?"
            )
        with Engine({"encoder": Scripted()}) as engine:
            compressor = RagctxCompressor(compressor=Asking(), engine=engine)
            [kept] = compressor.compress_documents(self.pages, "rent?")
            assert kept.metadata["source"] == "a.txt"
            assert asyncio.run(compressor.acompress_documents(self.pages, "rent?")) == [kept]


class TestRunnable:
    def test_texts_and_whole_answers(self, pipeline: Pipeline) -> None:
        assert as_runnable(pipeline).invoke("What is the notice period?") == "Three months."
        answer = as_runnable(pipeline, text=False, strategy="full").invoke("What is the notice period?")
        assert isinstance(answer, Answer)
        assert answer.strategy == "full"
        assert answer.citations[0].text == TEXTS[0]

    def test_async_is_the_same(self, pipeline: Pipeline) -> None:
        assert asyncio.run(as_runnable(pipeline).ainvoke("What is the rent?")) == "Ten crowns."

    def test_questions_may_be_mappings(self, pipeline: Pipeline) -> None:
        asked = {"question": "What is the rent?", "where": {"documents": ["text-3"]}}
        answer = as_runnable(pipeline, text=False).invoke(asked)
        assert [coverage.document for coverage in answer.coverage] == ["text-3"]
        with pytest.raises(InputError, match="mapping"):
            as_runnable(pipeline).invoke(7)

    def test_batches_answer_in_order(self, pipeline: Pipeline) -> None:
        asked = ["What is the notice period?", "What is the rent?"] * 3
        assert as_runnable(pipeline).batch(asked) == ["Three months.", "Ten crowns."] * 3
        assert asyncio.run(as_runnable(pipeline).abatch(asked)) == ["Three months.", "Ten crowns."] * 3

    def test_streams_are_pieces_of_what_the_model_writes(self, pipeline: Pipeline) -> None:
        async def heard() -> list[Any]:
            return [piece async for piece in as_runnable(pipeline).astream("What is the notice period?")]

        pieces = asyncio.run(heard())
        assert "".join(pieces) == "Three months. [1]"
        assert len(pieces) > 1
        assert list(as_runnable(pipeline).stream("What is the notice period?")) == pieces
        [answer] = as_runnable(pipeline, text=False).stream("What is the notice period?")
        assert answer.text == "Three months."

    def test_it_streams_through_a_chain(self, pipeline: Pipeline) -> None:
        chain = as_runnable(pipeline) | StrOutputParser()
        assert chain.invoke("What is the rent?") == "Ten crowns."
        assert "".join(chain.stream("What is the rent?")) == "Ten crowns. [1]"

    def test_a_budget_binds(self, pipeline: Pipeline) -> None:
        from ragctx.errors import LimitError

        with pytest.raises(LimitError):
            as_runnable(pipeline, budget=3).invoke("What is the rent?")

    def test_text_that_begins_anew_is_an_error_and_silence_ends_with_the_answer(self) -> None:
        class Played:
            def __init__(self, *events: object) -> None:
                self.events = events

            def stream(self, question: Question, **how: object) -> Iterator[object]:
                yield from self.events

        unbroken = Played(Delta("k", "Three "), Delta("k", "months."), Done(Answer("Three months.")))
        assert "".join(as_runnable(unbroken).stream("?!")) == "Three months."
        silent = Played(Done(Answer("Three months.")))
        assert list(as_runnable(silent).stream("?!")) == ["Three months."]
        first = Played(Delta("k", "Three", restart=True), Done(Answer("Three")))
        assert list(as_runnable(first).stream("?!")) == ["Three"]
        again = Played(Delta("k", "Three "), Delta("k", "Six", restart=True))
        with pytest.raises(RequestFailed, match="anew"):
            list(as_runnable(again).stream("?!"))


def test_without_langchain_the_error_names_the_extra() -> None:
    script = (
        "import sys; sys.modules['langchain_core'] = None\n"
        "from ragctx.errors import MissingExtra\n"
        "try:\n    import ragctx.integrations.langchain\n"
        "except MissingExtra as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert "pip install 'ragctx[langchain]'" in done.stdout


def test_only_langchain_core_is_imported() -> None:
    script = (
        "import sys, ragctx.integrations.langchain\n"
        "others = {'langchain', 'langchain_classic', 'langchain_community', 'torch'}\n"
        "print([name for name in sys.modules if name.partition('.')[0] in others])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
