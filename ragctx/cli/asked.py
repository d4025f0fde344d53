"""What was asked on the command line: one question, or the questions of a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ragctx.errors import InputError

if TYPE_CHECKING:
    from ragctx.types import Question

_ASKING = ("?", "\uff1f", "\u061f")


def one(text: str, where: list[str] | None) -> Question:
    """A question, and the documents that it may read."""
    from ragctx.questions import Questions

    return Questions.one({"question": text, "where": {"documents": where} if where else None})


def questions(given: str, where: list[str] | None) -> tuple[Sequence[Question], str]:
    """The questions of a file, or the one that was given, and what to call them.

    Raises:
        InputError: neither a file nor a question; or a file whose questions say for themselves what they may read.
    """
    from ragctx.questions import FILES, Questions

    file = given.rstrip().lower().endswith(FILES) or _there(given)
    if not file and (len(given.split()) > 1 or given.rstrip().endswith(_ASKING)):
        return (one(given, where),), given
    if not file:
        raise InputError(f"{given} is no question file ({', '.join(FILES)}): a question of one word ends with '?'")
    if where:
        raise InputError(f"--where is for one question; those in {given} each have a field `where` of their own")
    return Questions.read(given), Path(given).name


def _there(given: str) -> bool:
    try:
        return Path(given).exists()
    except (OSError, ValueError):  # longer than a name may be
        return False
