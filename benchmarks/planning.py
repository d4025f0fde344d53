"""How long plans of many questions take: `python benchmarks/planning.py [--questions 10000] [--reader NAME] [--json]`.

The example questions, each in many wordings, over the example documents with their index at hand. No model is called:
a reader behind an endpoint is only counted for. Seconds are processor seconds of one thread.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from ragctx import Pipeline, Question, Questions
from ragctx.routing.second import unsure

EXAMPLES = Path(__file__).parents[1] / "examples"
NOBODY = "openai:m@http://localhost:1/v1"


def worded(count: int) -> list[Question]:
    """So many questions, no two alike."""
    asked = list(Questions.read(EXAMPLES / "questions.jsonl"))
    return [Question(f"{asked[i % len(asked)].text} ({i})", id=f"q{i}") for i in range(count)]


def measure(count: int, reader: str) -> dict[str, object]:
    """Seconds for all of them, the strategies taken, and the share that a second look would decide."""
    questions = worded(count)
    with Pipeline.over(EXAMPLES / "documents", reader=reader, cache=False) as pipeline:
        pipeline.plan(questions[:2])  # the index is read
        began = time.process_time()
        plan = pipeline.plan(questions)
        seconds = time.process_time() - began
        looks = sum(unsure(row.decision, pipeline.policy.second_look) for row in plan.rows)
    return {
        "date": str(date.today()),
        "reader": reader,
        "questions": count,
        "seconds": round(seconds, 1),
        "ms_a_question": round(1000 * seconds / count, 2),
        "second_look_rate": looks / count,
        "strategies": dict(Counter(row.decision.strategy for row in plan.rows)),
    }


def main(said: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=10_000)
    parser.add_argument("--reader", nargs="+", default=[NOBODY, "extractive"])
    parser.add_argument("--json", action="store_true", help="one line")
    wanted = parser.parse_args(said)
    told = [measure(wanted.questions, reader) for reader in wanted.reader]
    sys.stdout.write(json.dumps(told, indent=None if wanted.json else 2) + "\n")


if __name__ == "__main__":
    main()
