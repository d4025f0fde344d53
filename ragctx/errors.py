"""Every error ragctx raises: one small tree, each message saying what to do next.

`exit_code` is what the command line returns for an error of that class; the README lists the codes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar

_NAMED = 12  # how many known names a message lists: it has to fit on a screen


def readable(name: str) -> str:
    r"""A file's name as text that every model, file and terminal takes: its bytes that are no UTF-8 are written out.

    Example:
        >>> readable(b"na\xefve.txt".decode("utf-8", "surrogateescape"))
        'na\\xefve.txt'
    """
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


class RagctxError(Exception):
    """Anything that ragctx raises on purpose."""

    exit_code: ClassVar[int] = 1


class ConfigError(RagctxError):
    """A setting, a flag or a name is wrong: nothing was read and nothing was spent."""

    exit_code = 2


class UnknownName(ConfigError):
    """A name that no plug-in registers; the message suggests the nearest ones.

    Example:
        >>> str(UnknownName("strategy", "retreive", ["full", "retrieve"]))
        "unknown strategy 'retreive': did you mean 'retrieve'? (known: full, retrieve)"
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        close = difflib.get_close_matches(name, names, n=2, cutoff=0.5)
        hint = f": did you mean {' or '.join(map(repr, close))}?" if close else ""
        more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        super().__init__(f"unknown {kind} {name!r}{hint} (known: {', '.join(names[:_NAMED]) or 'none'}{more})")


class MissingExtra(ConfigError):
    """An optional dependency is not installed; the message is the command that installs it.

    Example:
        >>> str(MissingExtra("the local reader", "local", "torch"))
        "the local reader needs the package 'torch': pip install 'ragctx[local]'"
    """

    def __init__(self, what: str, extra: str, package: str) -> None:
        super().__init__(f"{what} needs the package {package!r}: pip install 'ragctx[{extra}]'")


class InputError(RagctxError):
    """A document or a question cannot be used as it is."""

    exit_code = 3


class UnreadableDocument(InputError):
    """A document cannot be turned into text (missing, empty, binary, encrypted, corrupt)."""

    def __init__(self, source: str, why: str, remedy: str) -> None:
        self.source, self.why, self.remedy = readable(source), why, remedy
        super().__init__(f"cannot read {self.source}: {why}; {remedy}")


class BadQuestion(InputError):
    """A question is empty, or a question file has lines that are not questions."""


class LimitError(RagctxError):
    """A window or a budget would be exceeded: refused before the call, never truncated."""

    exit_code = 4


class DoesNotFit(LimitError):
    """A prompt is longer than a model's window.

    Example:
        >>> error = DoesNotFit("local:smollm2-135m", needs=11_204, window=8_192)
        >>> str(error).partition(":")[2]
        "smollm2-135m's window of 8,192: retrieve, raise the window, or use another model"
    """

    def __init__(self, model: str, needs: int, window: int) -> None:
        self.model, self.needs, self.window = model, needs, window
        super().__init__(
            f"{needs:,} tokens do not fit {model}'s window of {window:,}: "
            "retrieve, raise the window, or use another model"
        )


class BudgetSpent(LimitError):
    """The next request would exceed what the question may still spend.

    The engine throws it into a work at the `yield`; a work may catch it and finish from what it already has.

    Attributes:
        what: "tokens", "money", "calls" or "seconds".
        needs: what the next call may take; for seconds, those that the question had.
        left: what is left.

    Example:
        >>> print(BudgetSpent("tokens", 1_234_567, 200))
        the next call needs 1,234,567 tokens, 200 left of the budget: raise the budget or read less
        >>> print(BudgetSpent("seconds", 30, 0))
        the question's 30 seconds have passed: give it more time or read less
    """

    def __init__(self, what: str, needs: float, left: float) -> None:
        self.what, self.needs, self.left = what, needs, left
        if what == "seconds":
            super().__init__(f"the question's {needs:,.6g} seconds have passed: give it more time or read less")
            return
        digits = ",.6g" if what == "money" else ",.0f"
        told = f"the next call needs {needs:{digits}} {what}, {left:{digits}} left of the budget"
        super().__init__(f"{told}: raise the budget or read less")


class ModelError(RagctxError):
    """A model call failed for good, after the retries it deserved."""

    exit_code = 5


class RequestFailed(ModelError):
    """A request came back as a `Failure` and the work did not say that it tolerates that.

    Attributes:
        kind: the failure's class, e.g. `"rate_limit"` (see `ragctx.work.Failure`).
    """

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)


class StoreError(RagctxError):
    """A file of ours (text store, index, cache, job) cannot be written or read."""

    exit_code = 6


class StoreLocked(StoreError):
    """Another process is writing the same folder."""


class StoreFull(StoreError):
    """The disk is full; what was complete before is still usable."""


class StoreCorrupt(StoreError):
    """A stored file is not what its manifest says; the message says how to rebuild it."""
