"""Measures, question sets and fair comparisons: what every benchmark here counts with."""

from ragctx.evaluation.bootstrap import Comparison, paired_bootstrap
from ragctx.evaluation.calibration import Calibration, calibrate
from ragctx.evaluation.datasets import Example, examples, read
from ragctx.evaluation.experiment import Experiment
from ragctx.evaluation.measures import METRICS, Metric, metric
from ragctx.evaluation.metrics import (
    Abstention,
    abstention,
    contains,
    covers,
    exact_match,
    normalise,
    token_f1,
    tokens,
)
from ragctx.evaluation.outcomes import Matrix, measured
from ragctx.evaluation.results import Evaluation, ScoredRow
from ragctx.evaluation.scoring import KindRow, Score, correct, key_points, table_by_kind
from ragctx.evaluation.spans import Overlap, citations, kept_spans, merged

__all__ = [
    "METRICS",
    "Abstention",
    "Calibration",
    "Comparison",
    "Evaluation",
    "Example",
    "Experiment",
    "KindRow",
    "Matrix",
    "Metric",
    "Overlap",
    "Score",
    "ScoredRow",
    "abstention",
    "calibrate",
    "citations",
    "contains",
    "correct",
    "covers",
    "exact_match",
    "examples",
    "kept_spans",
    "key_points",
    "measured",
    "merged",
    "metric",
    "normalise",
    "paired_bootstrap",
    "read",
    "table_by_kind",
    "token_f1",
    "tokens",
]
