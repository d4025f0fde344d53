from __future__ import annotations

import os
import stat

from ragctx.folders import cache_folder


def test_every_folder_that_is_made_is_the_owners_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("RAGCTX_CACHE", str(tmp_path / "deep" / "cache"))
    before = os.umask(0o022)
    try:
        assert cache_folder("a", "b") == cache_folder("a", "b") == tmp_path / "deep" / "cache" / "a" / "b"
    finally:
        os.umask(before)
    made = list(tmp_path.rglob("*"))
    assert len(made) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o700}
