"""One writer at a time: an advisory lock that the kernel lets go when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from ragctx.errors import StoreLocked

WAIT = 60.0


@contextlib.contextmanager
def locked(path: Path, wait: float | None = None) -> Iterator[None]:
    """Hold the lock file `path`; the second to come waits.

    Args:
        path: the lock file, made where missing; it names the holder's process.
        wait: seconds to wait for another holder; `WAIT` when None.

    Raises:
        StoreLocked: another process still holds it after `wait` seconds.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(descriptor, path, WAIT if wait is None else wait)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
                raise StoreLocked(
                    f"process {holder} is writing {path.parent} and did not finish within {wait:g} seconds: "
                    "wait for it to end, or give another folder=..."
                ) from None
            time.sleep(0.05)
        else:
            return
