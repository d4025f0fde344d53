"""What it is worth in the end: a language model on pruned context, `extract` beside it, and the holdout file."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from keeping import context, pruned, usable
from testset import Words, answered
from weighers import Weigh

from ragctx import Pipeline, Questions
from ragctx.errors import RequestFailed
from ragctx.evaluation.metrics import exact_match, token_f1
from ragctx.evaluation.scoring import correct
from ragctx.prompts import Prompt, shipped
from ragctx.readers import open_model
from ragctx.strategies import Extract, Full, Retrieve
from ragctx.types import Answer, Context, Document, Question
from ragctx.work import Completion, Generate, Sampling, raised
from training.reader.examples import Example

SHARE = 0.35
"""Of the words: with the prompt's own tokens, at least 60 % fewer of the passages'."""


def on_pruned(spec: str, examples: Sequence[Example], words: Words, weigh: Weigh) -> dict[str, object]:
    """Answer F1 of a language model on five passages, whole and pruned, with its prompt tokens."""
    backend: Any = open_model(spec)
    rows: dict[str, list[tuple[float, int, int, float]]] = {"whole": [], "pruned": []}
    for example in usable([e for e in examples if e.answers]):
        given, _ = context(example, words)
        for name, read in (("whole", given), ("pruned", pruned(example, given, SHARE, weigh))):
            text, tokens, seconds = written(backend, example.question, read)
            held = backend.facts.counter.count("\n\n".join(passage.text for passage in read.passages))
            rows[name].append((token_f1(text, answered(example)), tokens, held, seconds))
    backend.close()
    told: dict[str, object] = {"questions": len(rows["whole"]), "share_of_words": SHARE}
    for name, each in rows.items():
        f1, tokens, held, seconds = np.mean(each, axis=0).tolist()
        told |= {f"{name}_f1": round(f1, 4), f"{name}_tokens": round(tokens), f"{name}_passage_tokens": round(held)}
        told[f"{name}_s"] = round(seconds, 2)
    return told


def written(backend: Any, question: str, read: Context) -> tuple[str, int, float]:
    """A language model's answer from some passages, without its marks; prompt tokens and seconds."""
    messages = Prompt(shipped(), "benchmark").messages(read.passages, Question(question))
    start = time.perf_counter()
    [reply] = backend.serve([Generate(messages, sampling=Sampling(max_tokens=48))], lambda *_: None)
    said = raised(reply)
    assert isinstance(said, Completion)
    text = said.text.strip().partition("\n")[0].partition(" [")[0]
    return text, said.prompt_tokens, time.perf_counter() - start


@contextmanager
def over(documents: Sequence[Document] | Path, reader: str, ranker: str = "extractive") -> Iterator[Pipeline]:
    """A pipeline over them in a folder of its own, nothing cached."""
    sources = [documents] if isinstance(documents, Path) else documents
    ways = {"extract": Extract(), "retrieve": Retrieve(retriever="bm25"), "full": Full()}
    with (
        tempfile.TemporaryDirectory() as folder,
        Pipeline.over(
            *sources,
            reader=reader,
            encoder=None,
            ranker=ranker,
            strategies=ways,
            cache=False,
            folder=Path(folder),
        ) as made,
    ):
        made.prepare()
        yield made


def side_by_side(
    readers: Sequence[str], examples: Sequence[Example], ranker: str = "extractive"
) -> list[dict[str, object]]:
    """`extract` and `retrieve` by every reader on the same questions over the same documents."""
    asked = [example for example in examples if example.answers]
    passages = list(dict.fromkeys(p for e in asked for p in (e.passage, *e.negatives[:4])))
    documents = [Document(f"{number}", p.text, title=p.title) for number, p in enumerate(passages)]
    ways = [("extract", readers[0]), *(("retrieve", reader) for reader in readers)]
    told: list[dict[str, object]] = []
    for strategy, reader in ways:
        with over(documents, reader, ranker) as pipeline:
            _asked(pipeline, asked[0].question, strategy)  # loads the weights
            start = time.perf_counter()
            answers = [_asked(pipeline, example.question, strategy) for example in asked]
            seconds = (time.perf_counter() - start) / len(asked)
        said = ["" if answer is None else answer.text for answer in answers]
        f1 = float(np.mean([token_f1(text, answered(e)) for text, e in zip(said, asked, strict=True)]))
        em = float(np.mean([exact_match(text, answered(e)) for text, e in zip(said, asked, strict=True)]))
        declined = float(np.mean([answer is not None and not answer.answerable for answer in answers]))
        name = Path(reader.removeprefix("local:")).name if strategy != "extract" else "none"
        row = {"f1": round(f1, 4), "em": round(em, 4), "declined": round(declined, 4), "seconds": round(seconds, 3)}
        told.append({"strategy": strategy, "reader": name, "questions": len(asked), **row})
    return told


def _asked(pipeline: Pipeline, question: str, strategy: str) -> Answer | None:
    """The answer; None where the model said nothing of use, which counts as wrong."""
    try:
        return pipeline.ask(question, strategy=strategy)
    except RequestFailed:
        return None


def holdout(file: Path, documents: Path, reader: str, ranker: str = "extractive") -> dict[str, object]:
    """Facts right, facts declined and unanswerable declined, by `extract` through the whole pipeline."""
    with over(documents, reader, ranker) as pipeline:
        rows = [(question, pipeline.ask(question, strategy="extract")) for question in Questions.read(file)]
    facts = [(question, answer) for question, answer in rows if question.answerable is not False]
    nothing = [answer for question, answer in rows if question.answerable is False]
    return {
        "holdout_facts": len(facts),
        "holdout_right": round(float(np.mean([correct(a, q).correct for q, a in facts])), 4),
        "holdout_facts_declined": round(float(np.mean([not a.answerable for _, a in facts])), 4),
        "holdout_unanswerable": len(nothing),
        "holdout_declined": round(float(np.mean([not a.answerable for a in nothing])), 4),
    }
