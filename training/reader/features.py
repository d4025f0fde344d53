"""Examples as token ids and labels."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from tokenizers import Encoding, Tokenizer

from ragctx.corpus.sentences import bounds
from ragctx.encoders.extractive.pairs import ASKED, TITLE
from training.reader.examples import Example, Passage, Span

LONGEST = 288
"""Tokens of question and passage together."""
UNKNOWN = -1.0
"""Label of what nobody marked: it adds nothing to the loss."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A question with one passage.

    Attributes:
        relevant: 1 where the passage answers. keep: for every token 0, 1 or UNKNOWN.
        starts, ends: token places of the answers' borders; place 0 where there is no answer, none where it is unknown.
    """

    ids: tuple[int, ...]
    types: tuple[int, ...]
    relevant: float
    keep: tuple[float, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]


def encode(tokenizer: Tokenizer, question: str, passage: Passage, titled: bool) -> Encoding:
    """Question (and title) and passage as one sequence, the passage's end cut off where it is too long."""
    asked = question[:ASKED]
    asked = f"{asked} [SEP] {passage.title[:TITLE]}" if titled and passage.title else asked
    return tokenizer.encode(asked, passage.text)


def gold(tokenizer: Tokenizer, example: Example, titled: bool) -> Pair:
    """The pair that answers."""
    encoding = encode(tokenizer, example.question, example.passage, titled)
    inside = _inside(encoding)
    borders = [_tokens(encoding, inside, span) for span in example.answers]
    reached = [border for border in borders if border is not None]
    return Pair(
        tuple(encoding.ids),
        tuple(encoding.type_ids),
        1.0,
        _kept(encoding, inside, example),
        tuple(first for first, _ in reached),
        tuple(last for _, last in reached),
    )


def wrong(tokenizer: Tokenizer, example: Example, passage: Passage, titled: bool) -> Pair:
    """A pair that does not answer: nothing is kept, the answer is place 0."""
    encoding = encode(tokenizer, example.question, passage, titled)
    inside = set(_inside(encoding))
    keep = tuple(0.0 if place in inside else UNKNOWN for place in range(len(encoding.ids)))
    return Pair(tuple(encoding.ids), tuple(encoding.type_ids), 0.0, keep, (0,), (0,))


def opened(path: str) -> Tokenizer:
    """A tokenizer that cuts passages, and never questions, to the longest length."""
    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_padding()
    tokenizer.enable_truncation(LONGEST, strategy="only_second")
    return tokenizer


def _inside(encoding: Encoding) -> list[int]:
    return [place for place, part in enumerate(encoding.sequence_ids) if part == 1]


def _tokens(encoding: Encoding, inside: Sequence[int], span: Span) -> tuple[int, int] | None:
    """The first and last token of a character range; None where the passage was cut off before its end."""
    touched = [p for p in inside if encoding.offsets[p][0] < span[1] and encoding.offsets[p][1] > span[0]]
    if not touched or encoding.offsets[inside[-1]][1] < span[1]:
        return None
    return touched[0], touched[-1]


def _kept(encoding: Encoding, inside: Sequence[int], example: Example) -> tuple[float, ...]:
    labels = [UNKNOWN] * len(encoding.ids)
    if not example.evidence:
        return tuple(labels)
    sentences = list(bounds(example.passage.text)) or [(0, len(example.passage.text))]
    wanted = [any(s < last and e > first for first, last in example.evidence) for s, e in sentences]
    starts = [start for start, _ in sentences]
    for place in inside:
        index = max(0, bisect_right(starts, encoding.offsets[place][0]) - 1)
        labels[place] = float(wanted[index])
    return tuple(labels)


@dataclass(frozen=True, slots=True)
class Batch:
    """Pairs side by side: int64 [pairs, tokens], and labels; `groups` names each pair's question."""

    ids: torch.Tensor
    types: torch.Tensor
    mask: torch.Tensor
    keep: torch.Tensor
    starts: torch.Tensor
    ends: torch.Tensor
    placed: torch.Tensor
    relevant: torch.Tensor
    groups: torch.Tensor


def collate(groups: Sequence[Sequence[Pair]]) -> Batch:
    """Groups of pairs, one group a question, padded to the longest."""
    pairs = [pair for group in groups for pair in group]
    shape = len(pairs), max(len(pair.ids) for pair in pairs)
    ids, types, mask = (np.zeros(shape, np.int64) for _ in range(3))
    keep = np.full(shape, UNKNOWN, np.float32)
    starts, ends = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for row, pair in enumerate(pairs):
        size = len(pair.ids)
        ids[row, :size], types[row, :size], mask[row, :size], keep[row, :size] = pair.ids, pair.types, 1, pair.keep
        starts[row, list(pair.starts)], ends[row, list(pair.ends)] = 1, 1
    numbers = [number for number, group in enumerate(groups) for _ in group]
    placed = torch.tensor([bool(pair.starts) for pair in pairs])
    relevant = torch.tensor([pair.relevant for pair in pairs])
    labels = [torch.from_numpy(array) for array in (ids, types, mask, keep, starts, ends)]
    return Batch(*labels, placed, relevant, torch.tensor(numbers))  # type: ignore[call-arg]  # six labels


def drawn(tokenizer: Tokenizer, example: Example, chance: random.Random, negatives: int) -> list[Pair]:
    """The example's gold pair and some negatives, the harder the likelier; titles are shown half the time.

    One question in three is asked without its question mark, as people type into a search box.
    """
    titled = chance.random() < 0.5
    if chance.random() < 1 / 3:
        example = replace(example, question=example.question.rstrip(" ?？"))
    hard = list(example.negatives)
    picked = [hard.pop(min(int(chance.expovariate(0.35)), len(hard) - 1)) for _ in range(min(negatives, len(hard)))]
    return [gold(tokenizer, example, titled), *(wrong(tokenizer, example, passage, titled) for passage in picked)]
