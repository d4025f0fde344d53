"""ragctx answers questions over documents and decides, per question, how to read.

The public names load on first use, so that `import ragctx` costs milliseconds and needs no optional package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ragctx.corpus import Corpus as Corpus
    from ragctx.errors import RagctxError as RagctxError
    from ragctx.pipeline import Pipeline as Pipeline
    from ragctx.questions import Questions as Questions
    from ragctx.types import Answer as Answer
    from ragctx.types import Budget as Budget
    from ragctx.types import Context as Context
    from ragctx.types import Document as Document
    from ragctx.types import Passage as Passage
    from ragctx.types import Prices as Prices
    from ragctx.types import Question as Question
    from ragctx.types import Span as Span
    from ragctx.types import Turn as Turn
    from ragctx.types import Where as Where

__version__ = "0.1.0"

_HOME = {
    "Corpus": "ragctx.corpus",
    "Pipeline": "ragctx.pipeline",
    "Questions": "ragctx.questions",
    "RagctxError": "ragctx.errors",
} | dict.fromkeys(
    ["Answer", "Budget", "Context", "Document", "Passage", "Prices", "Question", "Span", "Turn", "Where"],
    "ragctx.types",
)
__all__ = ["Answer", "Budget", "Context", "Corpus", "Document", "Passage", "Pipeline", "Prices", "Question",
           "Questions", "RagctxError", "Span", "Turn", "Where"]  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'ragctx' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
