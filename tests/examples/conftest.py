from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from ragctx.corpus import Corpus

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="session")
def folder() -> Path:
    return EXAMPLES


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus.over(EXAMPLES / "documents", folder=tmp_path_factory.mktemp("index"))


@pytest.fixture(scope="session")
def texts(corpus: Corpus) -> Mapping[str, str]:
    """The extracted text of each file, the records of a table joined."""
    joined: dict[str, str] = {}
    for document in corpus.documents:
        name = document.id.partition("#")[0]
        joined[name] = joined.get(name, "") + document.text[: len(document.text)] + "\n"
    return joined
