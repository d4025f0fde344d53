"""Where ragctx keeps what it can rebuild: text stores, indexes, converted weights, reply caches.

Only the user may read these folders: they hold document text.
"""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(*parts: str) -> Path:
    """The cache folder, or one below it, made private on first use.

    `RAGCTX_CACHE` names it; otherwise it is `ragctx` under `XDG_CACHE_HOME` or `~/.cache`.

    Example:
        >>> cache_folder("indexes").name
        'indexes'
    """
    return private(cache_path(*parts))


def cache_path(*parts: str) -> Path:
    """Where `cache_folder` is or would be; nothing is made, for those who only look."""
    named = os.environ.get("RAGCTX_CACHE")
    base = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ragctx"
    return base.expanduser().joinpath(*parts)


def private(folder: Path) -> Path:
    """The folder, made with its parents where missing; what was made is open to its owner alone (mode 0700)."""
    if not folder.is_dir():
        private(folder.parent)
        folder.mkdir(exist_ok=True, mode=0o700)
    return folder
