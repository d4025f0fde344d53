"""What an encoder read is in the ledger and in no count of tokens or calls, in Python and in SQL alike."""

from __future__ import annotations

from pathlib import Path

from ragctx import Corpus, Pipeline
from ragctx.batch import JobStore, status
from ragctx.readers.scripted import Scripted
from ragctx.types.costs import UNMETERED_ROLES


def test_the_jobs_counts_are_those_of_its_answers(tmp_path: Path) -> None:
    corpus = Corpus.of("The notice period is three months.", "Pets are welcome.", folder=tmp_path / "store")
    backends = {"reader": Scripted(default="Three months. [1]"), "encoder": Scripted(name="encoder")}
    with Pipeline(corpus, backends) as pipeline:
        rows = list(
            pipeline.batch(["What is the notice?", "Are pets welcome?"], job=tmp_path / "j", strategy="retrieve")
        )
    answers = [row.answer for row in rows if row.answer]
    assert any(charge.role in UNMETERED_ROLES for answer in answers for charge in answer.usage.charges)
    with JobStore.open(tmp_path / "j") as store:
        now = status(store)
    assert now.tokens == sum(answer.usage.tokens for answer in answers)
    assert now.spent.calls == sum(answer.usage.calls for answer in answers) == 2
    assert now.actual["calls"] == 2
