"""Prompts: replaceable templates, fenced document text, messages."""

from ragctx.prompts.fence import fence, harmless, label
from ragctx.prompts.messages import Prompt, quoted, standalone
from ragctx.prompts.templates import Templates, shipped

__all__ = ["Prompt", "Templates", "fence", "harmless", "label", "quoted", "shipped", "standalone"]
