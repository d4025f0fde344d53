"""The local reader's prompts by torch's attention and by ours, side by side: processor seconds of one thread.

    python benchmarks/attention_local.py --model DIR [--characters 8000 16000 30000] [--rounds 3]

Both readers hold the same weights in bfloat16; each round asks one and then the other for the first token after the
same text, this repository's README. A figure is the median over rounds of the ratio of their seconds. Where no compiled
kernel is there, both are torch's.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import median
from typing import Any

from core import machine

from ragctx.readers import open_model
from ragctx.work import Generate, Message, Sampling, raised

TEXT = Path(__file__).parents[1] / "README.md"
WARM = 400
"""Characters of the first prompt, which is not told of."""


def seconds(reader: Any, text: str) -> tuple[int, float]:
    """Prompt tokens, and processor seconds until the first token after them."""
    asked = Generate((Message("user", text),), sampling=Sampling(max_tokens=1))
    began = time.process_time()
    [reply] = reader.serve([asked], lambda *_: None)
    return int(raised(reply).prompt_tokens), time.process_time() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="folder of a causal LM")
    parser.add_argument("--characters", type=int, nargs="+", default=[8_000, 16_000, 30_000])
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    readers = {
        name: open_model(f"local:{wanted.model}", dtype="bfloat16", threads=1, share=False, dense=name)
        for name in ("torch", "own")
    }
    text = TEXT.read_text("utf-8")
    for reader in readers.values():
        seconds(reader, text[:WARM])
    for count in wanted.characters:
        rounds = [
            {name: seconds(reader, text[:count]) for name, reader in readers.items()} for _ in range(wanted.rounds)
        ]
        told = {name: round(median(one[name][1] for one in rounds), 2) for name in readers}
        ratio = round(median(one["torch"][1] / one["own"][1] for one in rounds), 2)
        print(json.dumps({"tokens": rounds[0]["own"][0], **told, "times": ratio, "machine": machine()}))


if __name__ == "__main__":
    main()
