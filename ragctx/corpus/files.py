"""Private files that are whole or not there: the few disk habits that everything stored here shares."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from ragctx.errors import StoreError, StoreFull
from ragctx.folders import private

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turns what the disk says while `folder` is written into our errors.

    Raises:
        StoreFull: no space, quota or file size left. StoreError: the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreFull(
                f"the disk is full while writing {folder}: free some space and run again; "
                "what was indexed before is still usable"
            ) from error
        raise StoreError(f"cannot write {folder} ({error.strerror}): choose another place with folder=...") from error


def create(path: Path) -> int:
    """Descriptor of a new file that only its owner can read."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file in one step: a reader sees the old content or the new, also after a crash."""
    half = _half(path)
    try:
        with os.fdopen(create(half), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    except OSError:
        half.unlink(missing_ok=True)
        raise
    settle(path.parent)


def settle(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def settle_all(folder: Path) -> None:
    """Close everything under a folder to others and put it on the disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            path.chmod(0o600)
            settle(path)
        Path(parent).chmod(0o700)
        settle(Path(parent))


@contextlib.contextmanager
def replacing(final: Path) -> Iterator[Path]:
    """A new folder to fill that takes the name `final` when the block ends well, and vanishes when it does not.

    Its name carries this process's id, so that a later run can tell what a dead process left behind.
    """
    half = _half(private(final.parent) / final.name)
    half.mkdir(mode=0o700)
    try:
        yield half
        settle_all(half)
        if final.exists():
            shutil.rmtree(final)
        half.rename(final)
    except BaseException:
        shutil.rmtree(half, ignore_errors=True)
        raise
    settle(final.parent)


def _half(final: Path) -> Path:
    return final.with_name(f"{final.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp")


def sweep(folder: Path) -> None:
    """Remove the half-written folders and files of processes that are no more."""
    for half in folder.glob("*.tmp"):
        process = half.name.split(".")[-3:][0]
        if not process.isdigit() or _alive(int(process)):
            continue
        if half.is_dir():
            shutil.rmtree(half, ignore_errors=True)
        else:
            half.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
