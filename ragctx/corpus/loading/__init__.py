"""Turns files and objects into text: one module a format."""

from ragctx.corpus.loading.extracted import Extracted, Findings
from ragctx.corpus.loading.files import load
from ragctx.corpus.loading.inspection import Inspection, inspect

__all__ = ["Extracted", "Findings", "Inspection", "inspect", "load"]
