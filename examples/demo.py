"""The main job, end to end: plan 24 questions over the example documents, answer them in a batch job, and score them.

Uses only what any user has: `Pipeline`, `Questions`, the views and the scoring of `ragctx.evaluation`. Run it again
after Ctrl-C and it goes on where it stopped; `--fresh` starts over.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ragctx import Pipeline, Questions
from ragctx.batch import JobStore, status
from ragctx.evaluation.scoring import table_by_kind
from ragctx.folders import cache_folder
from ragctx.views import progress, terminal

HERE = Path(__file__).parent
DOCUMENTS = HERE / "documents"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reader", default="local:smollm2-135m")
    parser.add_argument("--questions", type=Path, default=HERE / "questions.jsonl")
    parser.add_argument("--fresh", action="store_true", help="forget earlier answers and ask everything again")
    return parser.parse_args()


def answer(options: argparse.Namespace, questions: Questions, job: Path) -> None:
    """Plan, then answer: each row is printed as it finishes."""
    out = terminal.console()
    out.print(f"Reading {DOCUMENTS.name}/ with {options.reader}. First the plan; nothing is spent yet.\n")
    with progress.indexing() as indexed:
        pipeline = Pipeline.over(DOCUMENTS, reader=options.reader, cache=not options.fresh, progress=indexed)
    with pipeline:
        out.print(terminal.plan(pipeline.plan(questions)))
        out.print("\nNow the answers. Ctrl-C loses nothing: the same command goes on.\n")
        for row in pipeline.batch(questions, job=job):
            out.print(terminal.row(row))


def report(questions: Questions, job: Path) -> int:
    """Share correct by kind against the gold answers, the bill, and the last line."""
    out = terminal.console()
    with JobStore.open(job) as store:
        answers = {row.id: row.answer for row in store.results()}
        now = status(store)
    out.print("Share correct by kind of question, against the gold answers:\n")
    out.print(terminal.kinds(table_by_kind((question, answers.get(question.id)) for question in questions)))
    out.print()
    out.print(terminal.status(now))
    out.print(
        f"\nanswered {now.answered}, declined {now.declined}, failed {now.failed} of {now.total} questions",
        soft_wrap=True,
    )
    return 1 if now.failed or now.pending else 0


def main() -> int:
    options = arguments()
    questions = Questions.read(options.questions)
    job = cache_folder("demo") / f"{options.questions.stem}-{options.reader.replace('/', '_')}.sqlite"
    if options.fresh:
        job.unlink(missing_ok=True)
    try:
        answer(options, questions, job)
    except KeyboardInterrupt:
        print("\nstopped; run the same command and it goes on", file=sys.stderr)
        return 130
    return report(questions, job)


if __name__ == "__main__":
    sys.exit(main())
