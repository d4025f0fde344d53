"""Many chains at once: how close to its longest chain alone a batch of Chain-of-Agents questions comes. Prints JSON.

    python benchmarks/chains.py [--questions 200] [--latency 1.0] [--quick]

Every call of the scripted reader takes the latency, jittered by half. The documents are so long that a question takes 2
to 12 calls, one after the other. A chain's own length is the sum of its calls' latencies; `concurrency_ratio` is the
time of the whole batch over the longest of them. `longest_wait` is the longest time that a question with its reply in
hand took to make its next call, in seconds: what it waited for others.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from statistics import median

from ragctx.agents.chain_of_agents import ChainOfAgents
from ragctx.corpus import Corpus
from ragctx.engine import Engine, Job
from ragctx.readers.scripted import ScriptedRemote
from ragctx.types import Answer, Question, Where
from ragctx.work import Completion, Generate, Reply, Request

SHORTEST, LONGEST = 2, 12
# Tokens of a portion, and of text for each portion: the rest is headings, and room so that no portion is left over.
PORTION, TEXT = 256, 215
SENTENCE = "Sentence {n} of part {part} says that matter {n} was settled. "
SAYS = {"worker notes": "- Matters were settled [1].", "answer": "They were [1]."}
ASKED = re.compile(r"Question: Which matters were settled, number (\d+)\?")


@dataclass(frozen=True, slots=True)
class Call:
    """One call: when it was made, how long it took by the script, and when its reply was given."""

    began: float
    latency: float
    ended: float


class Slow(ScriptedRemote):
    """A reader that takes its time, and keeps when each question's calls were made.

    Its replies bill nothing: counting a prompt again here would take more of the processor than driving the chains.
    """

    def __init__(self, latency: float, concurrency: int) -> None:
        """Latency in seconds, jittered by half."""
        super().__init__(concurrency=concurrency, window=8_000, record=False)
        self.latency = latency
        self.made: dict[int, list[Call]] = defaultdict(list)

    async def call(self, request: Request, emit: Callable[[str], None]) -> Reply:
        """The reply, late; how late is drawn from the question and the call's number, the same in every run."""
        assert isinstance(request, Generate)
        began = time.perf_counter()
        [number] = map(int, ASKED.findall(request.messages[-1].content))
        latency = self.latency * random.Random(f"{number}:{len(self.made[number])}").uniform(0.5, 1.5)
        await asyncio.sleep(latency)
        self.made[number].append(Call(began, latency, time.perf_counter()))
        return Completion(SAYS[request.purpose])


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured; seconds."""

    questions: int
    calls: int
    shortest_chain: int
    longest_chain: int
    seconds: float
    longest_chain_seconds: float
    concurrency_ratio: float
    longest_wait: float
    median_wait: float


def measure(questions: int = 200, latency: float = 1.0) -> Figures:
    """All questions at once, through the real engine."""
    reader, strategy = Slow(latency, questions), ChainOfAgents(portion=PORTION)
    with tempfile.TemporaryDirectory() as folder, Engine({"reader": reader}, in_flight=questions) as engine:
        corpus = Corpus.of({f"calls-{calls}": document(calls) for calls in range(SHORTEST, LONGEST + 1)}, folder=folder)
        jobs = [Job(str(n), partial(strategy.read, asked(n), corpus, engine.models)) for n in range(questions)]
        began = time.perf_counter()
        answers: list[Answer] = [outcome.result() for outcome in engine.map(jobs)]
        seconds = time.perf_counter() - began
    assert len(answers) == questions
    return figures(reader.made, seconds)


def asked(number: int) -> Question:
    """One of the questions; each over a document of its own length."""
    calls = SHORTEST + number % (LONGEST - SHORTEST + 1)
    where = Where(documents=(f"calls-{calls}",))
    return Question(f"Which matters were settled, number {number}?", id=str(number), where=where)


def document(calls: int) -> str:
    """A text that is read with so many calls: one a portion, and the manager's."""
    each = len(re.findall(r"\w+|[^\w\s]", SENTENCE.format(n=100, part=1)))
    return "".join(SENTENCE.format(n=100 + n, part=calls) for n in range(int(TEXT * (calls - 1.4) / each)))


def figures(made: dict[int, list[Call]], seconds: float) -> Figures:
    """The figures of what was called when."""
    chains = [sorted(calls, key=lambda call: call.began) for calls in made.values()]
    longest = max(sum(call.latency for call in chain) for chain in chains)
    waits = [after.began - before.ended for chain in chains for before, after in pairwise(chain)]
    return Figures(
        questions=len(chains),
        calls=sum(map(len, chains)),
        shortest_chain=min(map(len, chains)),
        longest_chain=max(map(len, chains)),
        seconds=round(seconds, 3),
        longest_chain_seconds=round(longest, 3),
        concurrency_ratio=round(seconds / longest, 4),
        longest_wait=round(max(waits, default=0.0), 4),
        median_wait=round(median(waits), 4) if waits else 0.0,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--latency", type=float, default=1.0, help="seconds of a call, jittered by half")
    parser.add_argument("--quick", action="store_true", help="a quarter of a second a call")
    given = parser.parse_args()
    print(json.dumps(asdict(measure(given.questions, 0.25 if given.quick else given.latency)), indent=2))


if __name__ == "__main__":
    main()
