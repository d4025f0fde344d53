"""Terminal views of what is on this machine: an index, the cache folder, the findings of the doctor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from ragctx.views.numbers import count, size, whole
from ragctx.views.text import DIM, STRONG, WARN, block, hanging, notes, table

if TYPE_CHECKING:
    from ragctx.corpus import Corpus

PROBLEMS_SHOWN = 20


def corpus_facts(value: Corpus) -> dict[str, Any]:
    """What an index holds, as plain JSON."""
    return {
        "documents": len(value.documents),
        "characters": value.characters,
        "chunks": len(value.chunks),
        "manifest": value.manifest,
        "problems": [{"source": p.source, "why": p.why, "remedy": p.remedy} for p in value.problems],
        "notes": list(value.notes),
    }


def corpus(value: Corpus) -> RenderableType:
    """One line, and every file that was not read with the reason."""
    held = [count(len(value.documents), "document"), count(value.characters, "character")]
    line = f"{', '.join(held)}, {count(len(value.chunks), 'chunk')}: indexes are current"
    problems = [str(problem) for problem in value.problems]
    shown = notes([*problems[:PROBLEMS_SHOWN], *value.notes])
    more = len(problems) - PROBLEMS_SHOWN
    rest = [Text(f"and {whole(more)} more files that cannot be read; --json names all", WARN)] if more > 0 else []
    return Group(hanging(line, STRONG), *shown, *rest)


def cache(facts: Mapping[str, Any]) -> RenderableType:
    """The cache folder and the size of each part."""
    made = table("part", "files", "size", numbers=("files", "size"))
    for name, part in facts["parts"].items():
        made.add_row(Text(name), whole(part["files"]), size(part["bytes"]))
    total = sum(part["bytes"] for part in facts["parts"].values())
    return Group(hanging(f"{facts['folder']}: {size(total)}", STRONG), *([made] if facts["parts"] else []))


def findings(values: Sequence[Mapping[str, Any]]) -> RenderableType:
    """One line a check, and the remedy below where it failed."""
    width = max((len(str(finding["what"])) for finding in values), default=0)
    return Group(*(part for finding in values for part in _finding(finding, min(width, 30))))


def _finding(finding: Mapping[str, Any], width: int) -> list[RenderableType]:
    failed = "missing" if finding["optional"] else "FAILED"
    mark, style = ("ok", "green") if finding["ok"] else (failed, WARN if finding["optional"] else "bold red")
    line = Text(f"{mark:8}", style) + Text(f"{finding['what']:{width}}  ") + Text(str(finding["detail"]), DIM)
    remedy = [block(f"-> {finding['remedy']}", by=8, then=11)] if finding["remedy"] else []
    return [block(line, by=0, then=8), *remedy]
