"""How every expected error becomes one short message that says what to do, and an exit code."""

from __future__ import annotations

import errno
import sqlite3
import sys

from ragctx.errors import InputError, RagctxError, StoreError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_STORE = {errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE}
_REMEDIES = {
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "a part of the path is a file: check the path",
    errno.EISDIR: "it is a folder: name a file in it",
    errno.EEXIST: "move it away, or name another path",
    errno.EACCES: "ask for permission, or name another path",
    errno.EPERM: "ask for permission, or name another path",
    errno.ENAMETOOLONG: "shorten the path",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.EROFS: "it lies on a read-only disk: name another path, or set RAGCTX_CACHE to a folder you may write",
}


def told(error: Exception) -> tuple[str, int] | None:
    """Message and exit code of an error that a user can do something about; None for a fault of the program.

    Example:
        >>> told(FileNotFoundError(2, "No such file or directory", "out/plan.html"))
        ('cannot use out/plan.html: no such file or directory; check the path', 3)
    """
    if isinstance(error, RagctxError):
        return str(error), error.exit_code
    if isinstance(error, sqlite3.Error):
        return f"a store cannot be used ({error}): free some space, or clear it with ragctx cache clear", 6
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
        return _path(error)
    if isinstance(error, UnicodeError) or "surrogates not allowed" in str(error):
        return "the name of a file or a text holds bytes that are no UTF-8: rename the file, or mend the text", 3
    if isinstance(error, MemoryError):
        return "out of memory: read fewer documents at once, or use a smaller model", 1
    return None


def _path(error: OSError) -> tuple[str, int]:
    what = f" {error.filename}" if error.filename else ""
    reason = (error.strerror or str(error) or type(error).__name__).lower()
    if error.errno in _FULL:
        return f"no room to write{what} ({reason}): free some space, or set RAGCTX_CACHE to another disk", 6
    remedy = _REMEDIES.get(error.errno or 0, "check the path and its permissions")
    code = StoreError.exit_code if error.errno in _STORE else InputError.exit_code
    return f"cannot use{what}: {reason}; {remedy}" if what else f"{reason}; {remedy}", code


def complain(message: str) -> None:
    """Say on standard error what ended the command."""
    _say(message, "red")


def remark(message: str) -> None:
    """Say on standard error what a person should know."""
    _say(message, "yellow")


def _say(message: str, style: str) -> None:
    """Wrapped between words for a person, as one line for a log."""
    from ragctx.views.text import console

    console(stderr=True).print(message, style=style, soft_wrap=not sys.stderr.isatty())
