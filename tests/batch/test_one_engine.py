"""A batch runs on its pipeline's own engine: whoever asks between two rows waits for the same model."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ragctx import Corpus, Pipeline
from ragctx.readers.scripted import Scripted
from ragctx.work import Reply, Request

QUESTIONS = [f"What is the notice period of lease {number}?" for number in range(40)]


class Watched(Scripted):
    """Says how many threads were in `serve` at once, at most."""

    def __init__(self) -> None:
        super().__init__(default="Three months. [1]", batch=4)
        self.within = self.most = 0

    def serve(self, requests: Sequence[Request], emit: Callable[[int, str], None]) -> list[Reply]:
        self.within += 1
        self.most = max(self.most, self.within)
        time.sleep(0.02)
        replies = super().serve(requests, emit)
        self.within -= 1
        return replies


def test_asking_while_a_batch_runs_never_calls_the_model_twice_at_once(tmp_path: Path) -> None:
    reader = Watched()
    with Pipeline(Corpus.of("The notice period is three months."), {"reader": reader}) as pipeline:
        between = []
        for row in pipeline.batch(QUESTIONS, job=tmp_path / "job.sqlite", strategy="full"):
            assert row.answer is not None
            between.append(pipeline.ask(f"And how long is it for {row.id}?", strategy="full").text)
        assert between == ["Three months."] * len(QUESTIONS)
        again = list(pipeline.batch(QUESTIONS, job=tmp_path / "again.sqlite", strategy="full"))
        assert sum(row.answer is not None and row.answer.usage.calls for row in again) == len(QUESTIONS)
    assert reader.most == 1
