"""Published measures, each by the exact rules of the work it comes from, and a table of them by name."""

from ragctx.evaluation.measures.table import METRICS, Metric, metric

__all__ = ["METRICS", "Metric", "metric"]
