"""A filter that leaves nothing to read: the refusal names it and what to write instead."""

from __future__ import annotations

import pytest

from ragctx.corpus import Corpus
from ragctx.errors import BadQuestion
from ragctx.strategies.limits import readable
from ragctx.types import Question, Where


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus.of(
        {"leases/Oak-Street.txt": "Rent.", "leases/elm.txt": "Fee.", "rules.md": "Pets.", "notes": "None."}
    )


def said(corpus: Corpus, where: Where) -> str:
    with pytest.raises(BadQuestion) as refused:
        readable(Question("Why?", id="q-7", where=where), corpus)
    return str(refused.value)


@pytest.mark.parametrize(
    ("pattern", "remedy"),
    [
        ("oak-street*", "did you mean 'leases/Oak-Street.txt'?"),
        ("elm.txt", "did you mean 'leases/elm.txt'?"),
        ("rules.txt", "did you mean 'rules.md'"),
        ("leases/oak-stret.txt", "did you mean 'leases/Oak-Street.txt'"),
        ("zzz", "there are 'leases/Oak-Street.txt', 'leases/elm.txt', 'rules.md' and 1 more"),
    ],
)
def test_a_pattern_that_names_nothing(corpus: Corpus, pattern: str, remedy: str) -> None:
    message = said(corpus, Where(documents=(pattern,)))
    assert message.startswith(f"question q-7: its filter (documents {pattern!r}) admits no document: {remedy}")
    assert "Where(" not in message


def test_other_conditions(corpus: Corpus) -> None:
    assert said(corpus, Where(pages=(1, 3))).endswith(
        "(pages 1-3) admits no document: these documents have no pages, leave the pages out"
    )
    assert said(corpus, Where(documents=("rules*",), metadata={"year": 2020})).endswith(
        "(documents 'rules*'; year = 2020) admits no document: widen it"
    )


def test_a_filter_that_admits_something(corpus: Corpus) -> None:
    assert [d.id for d in readable(Question("Why?", where=Where(documents=("*.md",))), corpus).documents] == [
        "rules.md"
    ]
    assert readable(Question("Why?"), corpus) is corpus
