"""The nouns: documents and spans, questions, costs, answers. Small, frozen, no behaviour that needs a model."""

from ragctx.types.answers import Answer, Candidate, Citation, Coverage, Decision
from ragctx.types.costs import Budget, Charge, Estimate, Line, Prices, Range, Speed, Usage
from ragctx.types.documents import Context, Document, Dropped, Passage, Span, Text
from ragctx.types.questions import Question, Turn, Where

__all__ = [
    "Answer",
    "Budget",
    "Candidate",
    "Charge",
    "Citation",
    "Context",
    "Coverage",
    "Decision",
    "Document",
    "Dropped",
    "Estimate",
    "Line",
    "Passage",
    "Prices",
    "Question",
    "Range",
    "Span",
    "Speed",
    "Text",
    "Turn",
    "Usage",
    "Where",
]
