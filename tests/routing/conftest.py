"""Documents, questions, models and strategies that the routing tests share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ragctx.corpus import Chunking, Corpus
from ragctx.errors import DoesNotFit, RagctxError
from ragctx.models import ModelFacts, Models
from ragctx.types import Answer, Estimate, Prices, Question, Speed
from ragctx.work import Work

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Fixed:
    """A strategy that always estimates the same, or always refuses."""

    name: str
    prompt: int = 100
    output: tuple[int, int, int] = (5, 50, 100)
    calls: int = 1
    role: str = "reader"
    refusal: RagctxError | None = None

    def estimate(self, question: Question, corpus: Corpus, models: Models) -> Estimate:
        if self.refusal is not None:
            raise self.refusal
        return Estimate.exactly(prompt=self.prompt, output=self.output, calls=self.calls, role=self.role)

    def read(self, question: Question, corpus: Corpus, models: Models) -> Work[Answer]:
        raise AssertionError("planning never reads")
        yield []


@dataclass(frozen=True, slots=True)
class Everything:
    """Reads all documents with the reader, as the real whole-text strategy does."""

    name: str = "full"

    def estimate(self, question: Question, corpus: Corpus, models: Models) -> Estimate:
        prompt = corpus.tokens(models.reader) + models.reader.counter.count(question.text)
        models.reader.must_fit(prompt, 100)
        return Estimate.exactly(prompt=prompt, output=(5, 50, 100))

    def read(self, question: Question, corpus: Corpus, models: Models) -> Work[Answer]:
        raise AssertionError("planning never reads")
        yield []


@pytest.fixture(scope="session")
def data() -> Path:
    return DATA


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Three short documents in chunks of about sixty words, indexed once for all tests."""
    return Corpus.over(DATA / "documents", folder=tmp_path_factory.mktemp("corpus"), chunking=Chunking(words=60))


@pytest.fixture
def models() -> Models:
    return Models({"reader": ModelFacts("scripted:test", window=8_192)})


@pytest.fixture
def priced() -> Models:
    facts = ModelFacts("m", window=8_192, prices=Prices(prompt=2.0, output=8.0), speed=Speed(1000.0, 50.0, 0.1))
    return Models({"reader": facts})


@pytest.fixture
def fixed() -> Callable[..., Fixed]:
    return Fixed


@pytest.fixture
def two() -> dict[str, object]:
    """The whole text, and a fifth of it."""
    return {"full": Everything(), "retrieve": Fixed("retrieve", prompt=400)}


@pytest.fixture
def too_long() -> Fixed:
    return Fixed("full", refusal=DoesNotFit("scripted:test", needs=11_204, window=8_192))
