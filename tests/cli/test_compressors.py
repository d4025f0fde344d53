"""`ragctx compressors`: everything that is installed, with what it asks of models."""

from __future__ import annotations

from ragctx import registry
from ragctx.views import listing


def test_every_compressor_is_told_with_what_it_reads(ragctx):
    found = {one["name"]: one for one in ragctx("compressors", "--json").json}
    assert set(found) == set(registry.names("compressors"))
    assert all(one["does"].endswith(".") for one in found.values())
    assert found["bm25-sentences"]["reads"] == {}
    assert set(found["longllmlingua"]["reads"]) == {"scorer"}
    assert set(found["perception"]["reads"]) >= {"reader", "scorer"}
    assert 1 < found["longllmlingua"]["reads"]["scorer"] < found["perception"]["reads"]["scorer"]


def test_on_the_screen_and_as_markdown(ragctx):
    shown = ragctx("compressors")
    assert (shown.code, "provence" in shown.out) == (0, True)
    assert max(map(len, shown.out.splitlines())) <= 80
    rows = ragctx("compressors", "--markdown").out.splitlines()
    assert rows[1] == "|---|---|---|"
    assert all(row.count("|") == 4 for row in rows)
    assert len(rows) == 2 + len(registry.names("compressors"))


def test_what_is_not_installed_or_does_not_say_is_told(monkeypatch):
    from ragctx.errors import MissingExtra

    class Silent:
        """Keeps a|b."""

    made = {"silent": Silent()}

    def make(group, name):
        if name not in made:
            raise MissingExtra("the compressor", "local", "torch")
        return made[name]

    monkeypatch.setattr(registry, "names", lambda group: ["missing", "silent"])
    monkeypatch.setattr(registry, "make", make)
    missing, silent = listing.compressors()
    assert "pip install" in missing.does
    assert (silent.does, silent.reads) == ("Keeps a|b.", None)
    assert r"a\|b" in listing.markdown([silent])
