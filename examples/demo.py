"""The main job, end to end: plan 24 questions over the example documents, answer them in a batch job, and score them.

Uses only what any user has: `Pipeline`, `Questions`, the views and the scoring of `ragctx.evaluation`. Run it again
after Ctrl-C and it goes on where it stopped; run it when it is done and it shows the stored answers; `--fresh` starts
over.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("TQDM_DISABLE", "1")  # libraries draw bars of their own, across ours

from ragctx import Pipeline, Questions
from ragctx.batch import JobStore, status
from ragctx.errors import RagctxError
from ragctx.evaluation.scoring import table_by_kind
from ragctx.folders import cache_folder
from ragctx.views import progress, terminal

HERE = Path(__file__).parent
DOCUMENTS = HERE / "documents"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reader", default="auto", help="any reader: local:NAME, openai:MODEL@BASE_URL, ...")
    parser.add_argument("--ranker", default="extractive", help="sorts, prunes, points out answers; none for none")
    parser.add_argument("--questions", type=Path, default=HERE / "questions.jsonl")
    parser.add_argument("--documents", type=Path, default=DOCUMENTS)
    parser.add_argument("--fresh", action="store_true", help="forget earlier answers and ask everything again")
    return parser.parse_args()


@contextmanager
def opened(options: argparse.Namespace) -> Iterator[Pipeline]:
    """The pipeline over the documents."""
    with progress.indexing() as indexed:
        pipeline = Pipeline.over(
            options.documents,
            reader=options.reader,
            ranker=None if options.ranker == "none" else options.ranker,
            cache=not options.fresh,
            progress=indexed,
        )
    with pipeline:
        yield pipeline


def job_file(options: argparse.Namespace, questions: Questions, pipeline: Pipeline) -> Path:
    """The job to go on with; an older one is put aside when it was made for anything but this."""
    name = re.sub(r"\W+", "-", f"{options.questions.stem}-{options.reader}")
    job = cache_folder("demo") / f"{name}.sqlite"
    if options.fresh:
        forget(job)
    if job.exists():
        try:
            with JobStore.open(job) as store:
                store.must_match(questions, pipeline.configuration(), pipeline.corpus.manifest)
        except RagctxError as other:
            say(f"Starting over: the stored answers belong to something else. {other}\n")
            forget(job)
    return job


def forget(job: Path) -> None:
    for suffix in ("", "-wal", "-shm", ".lock"):
        job.with_name(job.name + suffix).unlink(missing_ok=True)


def answer(pipeline: Pipeline, questions: Questions, job: Path) -> None:
    """Show stored answers, then ask what is left; each row is printed as it finishes."""
    out, total = terminal.console(), len(questions)
    if job.exists():
        with JobStore.open(job) as store:
            for row in store.results():
                out.print(terminal.row(row, total))
    with progress.batch(total, len(pipeline.corpus.chunks)) as on_event:
        for row in pipeline.batch(questions, job=job, on_event=on_event):
            out.print(terminal.row(row, total))


def report(questions: Questions, job: Path) -> int:
    """Share correct by kind against the gold answers, the bill, and the last line."""
    out = terminal.console()
    with JobStore.open(job) as store:
        answers = {row.id: row.answer for row in store.results()}
        now = status(store)
    say("Share correct by kind of question, against the gold answers:\n")
    out.print(terminal.kinds(table_by_kind((question, answers.get(question.id)) for question in questions)))
    out.print("")
    out.print(terminal.status(now))
    print(f"\nanswered {now.answered}, declined {now.declined}, failed {now.failed} of {now.total} questions")
    return 1 if now.failed or now.pending else 0


def say(text: str) -> None:
    terminal.console().print(text)


def run(options: argparse.Namespace) -> int:
    questions = Questions.read(options.questions)
    with opened(options) as pipeline:
        say(f"Reading {options.documents.name}/ with {pipeline.models.reader.name}. First the plan.\n")
        say(terminal.short(pipeline.plan(questions)))
        job = job_file(options, questions, pipeline)
        going_on = ", first those already stored" if job.exists() else ""
        say(f"\nNow the answers{going_on}. Ctrl-C loses nothing: the same command goes on.\n")
        answer(pipeline, questions, job)
    return report(questions, job)


def main() -> int:
    try:
        return run(arguments())
    except RagctxError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped; run the same command and it goes on", file=sys.stderr, flush=True)
        os._exit(130)  # a model's thread cannot be stopped, and nobody should wait for it


if __name__ == "__main__":
    sys.exit(main())
