"""Readers of data sets that lie on this machine; every one gives `Example`s, lazily, and refuses bad rows by name."""

from ragctx.evaluation.datasets.example import Example
from ragctx.evaluation.datasets.folder import examples
from ragctx.evaluation.datasets.table import FORMATS, read

__all__ = ["FORMATS", "Example", "examples", "read"]
