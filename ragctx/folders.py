"""Where ragctx keeps what it can rebuild: text stores, indexes, converted weights, reply caches.

Only the user may read these folders: they hold document text.
"""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(*parts: str) -> Path:
    """The cache folder, or one below it, created on first use with mode 0700.

    `RAGCTX_CACHE` names it; otherwise it is `ragctx` under `XDG_CACHE_HOME` or `~/.cache`.

    Example:
        >>> cache_folder("indexes").name
        'indexes'
    """
    named = os.environ.get("RAGCTX_CACHE")
    base = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ragctx"
    folder = base.expanduser().joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
