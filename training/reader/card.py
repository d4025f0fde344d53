"""The model card: what the weights are, what they learnt from, what they cannot do, as a page to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

LIMITS = (
    "It reads English. Questions in another script are refused; other languages in Latin letters are read badly.",
    "It copies stretches: it does not count, compare, calculate, conclude, or join what stands in several passages.",
    "It learnt from encyclopedic text, fairy tales, papers on medicine and financial reports; on other kinds of text "
    "its probabilities are less well founded.",
    "A question whose words stand around another fact of the same kind can be answered with that fact.",
    "It knows nothing but the passage: a false document gives a false answer.",
    "What is longer than a window of 288 tokens is read in windows that overlap; no answer spans two of them.",
)
"""What to know before relying on it."""

LICENCES = {
    "covidqa": "Apache-2.0 (articles mostly CC BY)",
    "evidence_inference": "MIT (articles mostly CC BY)",
    "fairytaleqa": "Apache-2.0 (stories public domain)",
    "multihop_hotpot_2wiki_musique": "CC BY-SA 4.0, Apache-2.0, CC BY 4.0",
    "pubmedqa": "MIT",
    "selqa": "Apache-2.0 (Wikipedia: CC BY-SA)",
    "squadshifts_new_wiki": "CC BY 4.0 (Wikipedia: CC BY-SA)",
    "tatqa": "MIT, data CC BY 4.0",
    "wice": "ODC-BY (Wikipedia: CC BY-SA)",
}
"""Of the data sets that are trained on."""

_PAGE = """# The reading model `{name}`, version {version} ({made})

A BERT-like encoder ({encoder}) with heads for relevance, sentences to keep, answer borders and "no answer", trained by
`training/reader/` and quantised to int8: reranks passages, prunes them, and copies answers, on ONNX Runtime without
torch.

- Licence of the weights: {licence}. Made from the sets below; texts of CC BY-SA sets are not contained in the weights.
- File: `reader.onnx`, SHA-256 `{sha256}`.
- Windows of {longest} tokens; embeddings of {width} numbers.

## What it learnt from

{sets}

Articles are divided across all sets into train, dev and test: what is test anywhere is trained on nowhere.

## How

{runs}

## Figures on the dev part

Probabilities were fitted on the same questions. The figures on the test part stand in `benchmarks/README.md`.

{figures}

## Limits

{limits}
"""


def described(card: Mapping[str, Any]) -> str:
    """The page of a card.

    Args:
        card: what `package` writes to `card.json`.
    """
    pages = {name: "\n".join(make(card)) for name, make in _PARTS.items()}
    return _PAGE.format(**{**card, **pages})


def _sets(card: Mapping[str, Any]) -> Iterator[str]:
    for name in card["trained_on"]:
        yield f"- {name}: {LICENCES[name]}"


def _runs(card: Mapping[str, Any]) -> Iterator[str]:
    for number, run in enumerate(card["runs"], start=1):
        yield f"{number}. " + "; ".join(f"{key}: {value}" for key, value in run.items())


def _figures(card: Mapping[str, Any]) -> Iterator[str]:
    yield from ("| measure | figure |", "|---|--:|")
    for part, figures in card["dev"].items():
        for name, value in figures.items():
            yield f"| {part}: {name} | {value:g} |"


def _limits(card: Mapping[str, Any]) -> Iterator[str]:
    return (f"- {limit}" for limit in card["limits"])


_PARTS = {"sets": _sets, "runs": _runs, "figures": _figures, "limits": _limits}
