"""One process runs a job at a time: a lock on a file beside it, which the kernel drops when its holder dies.

The job file itself is not locked so: SQLite keeps its own locks there, and closing another handle of it drops them.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from ragctx.errors import StoreLocked


class JobLock:
    """Context manager that holds `PATH.lock`, with this process's number in it.

    Raises:
        StoreLocked: another process (or another run in this one) holds it; the message names it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(path.name + ".lock")
        self._handle: int | None = None

    def __enter__(self) -> Self:
        # The holder removes the file as it leaves, so a lock counts only on the file that is still there.
        while self._handle is None:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            self._take(handle)
            if _same_file(handle, self.path):
                self._handle = handle
            else:
                os.close(handle)
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, str(os.getpid()).encode(), 0)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            self.path.unlink(missing_ok=True)
            os.close(handle)

    def _take(self, handle: int) -> None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(handle, 32, 0).decode("ascii", "replace") or "unknown"
            os.close(handle)
            job = self.path.name.removesuffix(".lock")
            raise StoreLocked(
                f"{job} is being run by process {holder}: wait for it, or stop it and run again"
            ) from error


def _same_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
