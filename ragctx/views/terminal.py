"""Views for a terminal, made with rich; text from documents and models is never read as markup.

Every view is a renderable; `console().print(view)` shows it. The views live beside this module, by what they show.
"""

from ragctx.views.answers import account, answer, explanation
from ragctx.views.compressions import comparison, compression
from ragctx.views.facts import cache, corpus, corpus_facts, findings
from ragctx.views.jobs import kinds, row, status
from ragctx.views.plans import plan, short
from ragctx.views.text import console

__all__ = [
    "account",
    "answer",
    "cache",
    "comparison",
    "compression",
    "console",
    "corpus",
    "corpus_facts",
    "explanation",
    "findings",
    "kinds",
    "plan",
    "row",
    "short",
    "status",
]
