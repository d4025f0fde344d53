"""The summaries of a corpus's clusters as they are kept: texts, the spans they were written from, and their bill."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ragctx.corpus import Corpus
from ragctx.errors import StoreCorrupt
from ragctx.retrievers.kmeans import Groups
from ragctx.types import Passage, Span

FORMAT = 1
_LIST, _CENTRES = "clusters.json", "centres.npy"


@dataclass(frozen=True, slots=True)
class Cluster:
    """One group of chunks.

    Attributes:
        text: its summary; empty where its one chunk is short enough to be read itself.
        chunks: how many there are. spans: where they stand, sorted, neighbours joined.
    """

    text: str
    chunks: int
    spans: tuple[Span, ...]

    def passage(self, corpus: Corpus, score: float) -> Passage:
        """What a reader is given; a summary is headed by how much it stands for, so that it can be weighed."""
        if not self.text:
            return corpus.passage(*self.spans, score=score)
        documents = len({span.document for span in self.spans})
        head = f"summary of {self.chunks:,} passages of {documents:,} document{'s' * (documents > 1)}"
        return Passage(self.text, self.spans, head, score=score, derived=True)


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """All groups of a corpus.

    Attributes:
        listed: the groups. centres: float32, shape (groups, dimensions).
        prompt, output: tokens that the summaries were billed, once.
    """

    listed: tuple[Cluster, ...]
    centres: np.ndarray
    prompt: int = 0
    output: int = 0

    @property
    def shares(self) -> np.ndarray:
        """For each group its part of all chunks."""
        sizes = np.array([cluster.chunks for cluster in self.listed], np.float64)
        return np.asarray(sizes / max(1.0, float(sizes.sum())))

    def save(self, folder: Path) -> None:
        """Write everything into an empty folder."""
        rows = [
            {"text": c.text, "chunks": c.chunks, "spans": [[s.document, s.start, s.end] for s in c.spans]}
            for c in self.listed
        ]
        held = {"format": FORMAT, "prompt": self.prompt, "output": self.output, "clusters": rows}
        (folder / _LIST).write_text(json.dumps(held), encoding="utf-8")
        np.save(folder / _CENTRES, self.centres, allow_pickle=False)

    @classmethod
    def open(cls, folder: Path) -> Clusters:
        """What `save` wrote.

        Raises:
            StoreCorrupt: it is not there, or of another format.
        """
        try:
            held = json.loads((folder / _LIST).read_text(encoding="utf-8"))
            if held["format"] != FORMAT:
                raise ValueError(f"format {held['format']}")
            listed = tuple(
                Cluster(str(row["text"]), int(row["chunks"]), tuple(Span(*span) for span in row["spans"]))
                for row in held["clusters"]
            )
            centres = np.load(folder / _CENTRES, allow_pickle=False)
            return cls(listed, centres, int(held["prompt"]), int(held["output"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            told = f"the summaries in {folder} cannot be read ({error}): delete that folder and ask again"
            raise StoreCorrupt(told) from error


def spans_of(corpus: Corpus, groups: Groups) -> list[tuple[Span, ...]]:
    """For each group the spans of its chunks, in order; chunks that follow each other in a document are one span."""
    return [tuple(_joined(corpus, rows)) for rows in groups.members]


def _joined(corpus: Corpus, rows: Sequence[int] | np.ndarray) -> list[Span]:
    runs: list[tuple[int, Span]] = []
    for row in map(int, rows):
        span = corpus.chunks[row]
        if runs and runs[-1][0] == row - 1 and runs[-1][1].document == span.document:
            runs[-1] = row, Span(span.document, runs[-1][1].start, span.end)
        else:
            runs.append((row, span))
    return [span for _, span in runs]
