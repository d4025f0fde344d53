"""Grounding: from a completion to an answer whose sentences name their sources."""

from ragctx.grounding.answer import declined, grounded, readable
from ragctx.grounding.citations import Cited, cite, support
from ragctx.grounding.markers import Sentence, sentences
from ragctx.grounding.refusal import refuses

__all__ = ["Cited", "Sentence", "cite", "declined", "grounded", "readable", "refuses", "sentences", "support"]
