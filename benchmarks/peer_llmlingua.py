"""Compresses contexts with the PyPI package `llmlingua` 0.2.2, in an environment of its own, and says how long it took.

    PYTHON benchmarks/peer_llmlingua.py --model FOLDER [--threads N] < TASKS > ROWS

`compression.py --peer PYTHON` runs it. A task is a JSON object a line: `id`, `question`, `contexts` (texts) and
`target` (tokens that are to be left). The first line that comes back tells the versions; then there is one object for
each task: `seconds` of `compress_prompt`, `order` (all contexts, the most relevant first), `kept` (of each context that
was taken, in reading order, its number and the characters [start, end) of every token that was kept), and `tokens`
(before and after, by the model's own tokenizer).

The package wants versions of its time, so it is given an environment of its own:

    python3 -m venv PEER
    PEER/bin/pip install torch==2.13.0 "numpy<2.3" transformers==4.46.3 nltk accelerate
    PEER/bin/pip install --no-deps llmlingua==0.2.2

and `--peer PEER/bin/python`. What it lacks is `tiktoken`, whose encoding it would download for a figure that nobody
needs here: words stand in for it. Its options are those of the paper, and its precision its own, float32. Nothing is
changed in how it compresses; it is only watched, which takes microseconds a segment.
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import sys
import time
from types import ModuleType
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
PAPER = {
    "rank_method": "longllmlingua",
    "condition_in_question": "after_condition",
    "reorder_context": "sort",
    "dynamic_context_compression_ratio": 0.3,
    "condition_compare": True,
    "context_budget": "+100",
    "concate_question": False,
}
SAMPLE = "The rent of the wharf is ten crowns a month, due on the first day of every quarter of the year."
"""Both environments say how likely each of its tokens is: weights that were read wrongly tell at once."""


class _Words:
    """Stands where the package wants a tokenizer of OpenAI's."""

    @staticmethod
    def encode(text: str) -> list[str]:
        return text.split()


def _package() -> Any:
    import transformers  # noqa: F401 - it looks for tiktoken too, and would take the stub for the package

    stub = ModuleType("tiktoken")
    stub.encoding_for_model = lambda _: _Words  # type: ignore[attr-defined]
    sys.modules["tiktoken"] = stub
    from llmlingua import prompt_compressor

    return prompt_compressor


def watched(folder: str) -> Any:
    """The package's compressor, which remembers what it took and where every token that it keeps stood."""
    import torch

    class Watched(_package().PromptCompressor):  # type: ignore[misc]
        used: list[int]
        at: Any
        gone: list[int]

        def control_context_budget(self, *given: Any, **options: Any) -> Any:
            found = super().control_context_budget(*given, **options)
            self.used = list(found[2])
            return found

        def iterative_compress_prompt(self, context: list[str], *given: Any, **options: Any) -> Any:
            self.seen, self.at, self.gone = list(context), None, []
            found = super().iterative_compress_prompt(context, *given, **options)
            left = range(found[0].shape[1]) if self.at is None else self.at.tolist()
            self.places = [*self.gone, *left]
            return found

        def get_compressed_input(self, loss: Any, ids: Any, mask: Any, *given: Any, **options: Any) -> Any:
            self.at = torch.arange(ids.shape[1]) if self.at is None else self.at
            beyond = len(self.at) - ids.shape[1]  # of the model's window: kept as it stands
            self.gone, self.at = [*self.gone, *self.at[:beyond].tolist()], self.at[beyond:]
            given = tuple(int(one) for one in given)  # a tensor would be changed in place
            found = super().get_compressed_input(loss, ids, mask, *given, **options)
            self.at = super().get_compressed_input(loss, self.at[None], mask, *given, **options)[0][0]
            return found

    return Watched(folder, device_map="cpu", model_config={"trust_remote_code": False})


def compressed(package: Any, task: dict[str, Any]) -> dict[str, Any]:
    """One task's row."""
    texts = task["contexts"]
    package.used, package.context_idxs, package.places = list(range(len(texts))), [], []
    start = time.perf_counter()
    package.compress_prompt(texts, question=task["question"], target_token=task["target"], **PAPER)
    seconds = time.perf_counter() - start
    kept = _divided(package)
    return {
        "id": task["id"],
        "seconds": round(seconds, 4),
        "order": package.context_idxs[-1] if package.context_idxs else list(range(len(texts))),
        "kept": kept,
        "tokens": [sum(map(package.get_token_length, texts)), sum(len(places) for _, places in kept)],
    }


def _divided(package: Any) -> list[tuple[int, list[tuple[int, int]]]]:
    """Of each text that was taken the characters of its tokens that were kept; the question's are left out."""
    whole = "\n\n".join(package.seen)
    marks = package.tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    spots = [marks[place] for place in package.places]
    asked = len(package.seen) - len(package.used)
    at, found = sum(len(text) + 2 for text in package.seen[:asked]), []
    for number, text in zip(package.used, package.seen[asked:], strict=True):
        inside = [(max(start, at) - at, min(end, at + len(text)) - at) for start, end in spots]
        found.append((number, [(start, end) for start, end in inside if start < end]))
        at += len(text) + 2
    return found


def head(package: Any) -> dict[str, Any]:
    """What runs here, and how likely it finds each token of a sentence."""
    import torch
    import transformers

    losses = package.get_ppl(SAMPLE, granularity="token").tolist()
    return {
        "llmlingua": "0.2.2",
        "transformers": transformers.__version__,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "dtype": str(package.model.dtype),
        "sample": [round(-loss, 5) for loss in losses],
        "statement": _statement(),
    }


def _statement() -> str:
    """The restrictive statement that the package adds to a question; read from its source, for the same to be asked."""
    import re

    found = re.search(r'" (We can [^"]+)"', inspect.getsource(_package()))
    return found[1] if found else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="folder of a causal language model")
    parser.add_argument("--threads", type=int, default=1)
    wanted = parser.parse_args()
    out, sys.stdout = sys.stdout, sys.stderr  # what the package prints is no row
    import torch

    torch.set_num_threads(wanted.threads)
    package = watched(wanted.model)
    print(json.dumps(head(package)), file=out, flush=True)
    for line in sys.stdin:
        print(json.dumps(compressed(package, json.loads(line))), file=out, flush=True)


if __name__ == "__main__":
    main()
