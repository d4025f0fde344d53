"""Views of what is installed: every compressor, what it does, and how much it has models read for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.text import Text

from ragctx import registry
from ragctx.contracts import Costed
from ragctx.errors import ConfigError, MissingExtra
from ragctx.models import ModelFacts, Models
from ragctx.views import text

# Each compressor is asked what it costs to leave a quarter of a source of so many tokens and passages.
_TOKENS, _PASSAGES, _QUESTION = 4000, 20, 20
_ROLES = ("reader", "scorer", "encoder", "ranker")
_KINDS = frozenset({"Generate", "Score", "Embed", "Rerank", "Prune", "Words"})


@dataclass(frozen=True, slots=True)
class Listed:
    """An installed compressor.

    Attributes:
        name: as it is registered. does: the first line of its description.
        reads: role -> times the source's tokens that its model reads, for twenty passages cut to a quarter; empty where
            it asks none of the pipeline's models, None where it does not say.
    """

    name: str
    does: str
    reads: dict[str, float] | None


def compressors() -> list[Listed]:
    """Every installed compressor, by name; one whose extra is missing says so.

    Example:
        >>> [one.reads for one in compressors() if one.name == "bm25-sentences"]
        [{}]
    """
    return [_listed(name) for name in registry.names("compressors")]


def _listed(name: str) -> Listed:
    try:
        made = registry.make("compressors", name)
    except MissingExtra as missing:
        return Listed(name, str(missing), None)
    said = (type(made).__doc__ or "").strip().partition("\n")[0]
    return Listed(name, said, _reads(made) if isinstance(made, Costed) else None)


def _reads(compressor: Costed) -> dict[str, float] | None:
    models = Models({role: ModelFacts(role, kinds=_KINDS) for role in _ROLES})
    try:
        lines = compressor.estimate(_TOKENS, _PASSAGES, _QUESTION, _TOKENS // 4, models)
    except ConfigError:  # it needs a role of its own
        return None
    return {line.role: round(line.prompt.expected / _TOKENS, 2) for line in lines}


def table(found: Sequence[Listed]) -> RenderableType:
    """One row each."""
    made = text.table("compressor", "what it does", "roles that read, times the text")
    for one in found:
        made.add_row(Text(one.name, text.STRONG), Text(one.does), Text(_told(one)))
    return made


def markdown(found: Sequence[Listed]) -> str:
    """The same as a Markdown table."""
    rows = [f"| `{one.name}` | {_cell(one.does)} | {_cell(_told(one))} |" for one in found]
    return "\n".join(["| compressor | what it does | roles that read, times the text |", "|---|---|---|", *rows])


def _told(one: Listed) -> str:
    if one.reads is None:
        return "not known"
    return ", ".join(f"{role} {_times(times)}" for role, times in one.reads.items()) or "none"


def _times(times: float) -> str:
    return f"{times:.1f}" if times >= 0.1 else "a little"


def _cell(said: str) -> str:
    return said.replace("|", "\\|")
