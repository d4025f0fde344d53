"""Puts the demo's own output into the README.

    python examples/demo.py --fresh > demo.log; python examples/into_readme.py demo.log

The README shows the head of the plan, two answers, and the end; each stands below a mark of its own.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
SHOWN = (2, 9)  # the questions whose answers are shown


def entry(lines: list[str], number: int) -> list[str]:
    """The lines of one numbered answer."""
    start = next(i for i, line in enumerate(lines) if re.match(rf"^ ?{number}\. ", line))
    return lines[start : lines.index("", start)]


def parts(log: list[str]) -> dict[str, list[str]]:
    """What stands below each mark."""
    plan = next(i for i, line in enumerate(log) if re.match(r"^ +question +strategy", line))
    total = next(i for i, line in enumerate(log) if line.startswith("24 question"))
    answers = next(i for i, line in enumerate(log) if line.startswith("Now the answers"))
    score = next(i for i, line in enumerate(log) if line.startswith("Share correct"))
    shown = [line for number in SHOWN for line in [*entry(log[answers:], number), ""]]
    return {
        "plan": [*log[plan : plan + 11], "...", *log[total - 1 : answers]],
        "answers": [*shown, "..."],
        "end": log[score + 1 :],
    }


def main() -> None:
    log = [line.rstrip() for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
    text = README.read_text(encoding="utf-8")
    for name, lines in parts(log).items():
        block = "\n".join([f"<!-- demo-{name} -->", "```text", *lines]).rstrip() + "\n```"
        mark = rf"<!-- demo-{name} -->(\n```text\n.*?\n```)?"
        text = re.sub(mark, lambda _, block=block: block, text, count=1, flags=re.DOTALL)
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
