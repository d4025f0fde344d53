"""Prefix reuse of the local reader: ten questions on one document, together against one by one from scratch.

Every question is asked about the same document of about 6,000 tokens, with 32 new tokens each and stopping disabled.
"From scratch" is the same reader told to share nothing (`share=False`). Texts must be identical in float32.
"""

from __future__ import annotations

import argparse
import json
import time

from ragctx.readers import open_model
from ragctx.work import Completion, Generate, Message, Sampling

FACT = "In year {0} the station at Port {1} recorded {2} millimetres of rain and {3} visitors signed its book. "
PORTS = ["Alder", "Brant", "Corrie", "Dunmore", "Esker", "Farrow", "Glenn", "Hale"]


def document(count: object, tokens: int) -> str:
    """Plain sentences made from numbers, cut to about so many tokens."""
    sentences: list[str] = []
    size = 0
    number = 0
    while size < tokens:
        sentence = FACT.format(1800 + number, PORTS[number % 8], 400 + 37 * number % 900, 13 * number % 500)
        sentences.append(sentence)
        size += count(sentence)  # type: ignore[operator]
        number += 1
    return "".join(sentences)


def requests(text: str, questions: int, new_tokens: int) -> list[Generate]:
    sampling = Sampling(max_tokens=new_tokens, ignore_end=True)
    return [
        Generate(
            (Message("user", f"{text}\n\nHow much rain fell at Port {PORTS[i % 8]} in {1800 + 7 * i}?"),),
            sampling=sampling,
        )
        for i in range(questions)
    ]


def serve(spec: str, batches: list[list[Generate]], *, share: bool) -> tuple[float, list[str]]:
    """Seconds and texts; loading the weights is not counted."""
    texts: list[str] = []
    seconds = 0.0
    backend = open_model(spec, dtype="float32", share=share)
    warm = Generate((Message("user", "Hello"),), sampling=Sampling(max_tokens=2))
    backend.serve([warm], lambda *_: None)
    for batch in batches:
        start = time.perf_counter()
        replies = backend.serve(batch, lambda *_: None)
        seconds += time.perf_counter() - start
        assert all(isinstance(reply, Completion) for reply in replies), replies
        texts += [reply.text for reply in replies]
    backend.close()
    return seconds, texts


def measure(
    spec: str = "local:smollm2-135m", tokens: int = 6000, questions: int = 10, new: int = 32, sample: int | None = None
) -> dict[str, object]:
    """Both ways in one run, and their ratio; with `sample`, only so many are asked from scratch, and scaled up."""
    backend = open_model(spec)
    text = document(backend.facts.counter.count, tokens)
    asked = requests(text, questions, new)
    scratch = asked[:sample]
    seconds, alone_texts = serve(spec, [[request] for request in scratch], share=False)
    alone = seconds * len(asked) / len(scratch)
    together, together_texts = serve(spec, [asked], share=True)
    return {
        "prefix_reuse_ratio": round(alone / together, 2),
        "prefix_alone_s": round(alone, 2),
        "prefix_together_s": round(together, 2),
        "prefix_identical": alone_texts == together_texts[: len(scratch)],
        "prefix_from_scratch": len(scratch),
        "prefix_document_tokens": backend.facts.counter.count(text),
        "prefix_questions": questions,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="local:smollm2-135m")
    parser.add_argument("--tokens", type=int, default=6000)
    parser.add_argument("--sample", type=int, help="ask only so many from scratch, and scale up")
    chosen = parser.parse_args()
    print(json.dumps(measure(chosen.model, chosen.tokens, sample=chosen.sample), indent=2))
