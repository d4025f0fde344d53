"""Generators of long texts with something to find in them; all words are this project's own, made from a seed."""

from ragctx.evaluation.needles.hay import Hay
from ragctx.evaluation.needles.order import best_answer, sort_segments
from ragctx.evaluation.needles.table import NEEDLES, generated
from ragctx.evaluation.needles.threads import threads, tracing
from ragctx.evaluation.needles.values import multi_key, multi_value, single

__all__ = [
    "NEEDLES",
    "Hay",
    "best_answer",
    "generated",
    "multi_key",
    "multi_value",
    "single",
    "sort_segments",
    "threads",
    "tracing",
]
