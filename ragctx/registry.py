"""Finds plug-ins by the entry points that packages register, ours and third parties' alike.

A group is "strategies", "retrievers", "compressors", "readers", "encoders" or "rankers"; its entry-point group is
`ragctx.` plus that name. The core names no plug-in: what is installed is what there is.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ragctx.errors import ConfigError, UnknownName


@cache
def _group(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"ragctx.{group}")}


def names(group: str) -> list[str]:
    """Every registered name of a group, sorted.

    Example:
        >>> "bm25" in names("retrievers")
        True
    """
    return sorted(_group(group))


def find(group: str, name: str) -> Any:  # noqa: ANN401 - a class or a factory, as the plug-in chose
    """The object a plug-in registered: a class or a factory, imported now.

    Raises:
        UnknownName: nobody registered the name; the nearest ones are suggested.
        MissingExtra: raised by the plug-in's module when its optional dependency is missing.
    """
    points = _group(group)
    if name not in points:
        raise UnknownName(group.removesuffix("s").replace("strategie", "strategy"), name, points)
    return points[name].load()


def options(group: str, name: str) -> frozenset[str]:
    """The options of a registered dataclass; none where it is something else.

    Example:
        >>> "tokens" in options("strategies", "retrieve")
        True
    """
    factory = find(group, name)
    return frozenset(f.name for f in dataclasses.fields(factory)) if dataclasses.is_dataclass(factory) else frozenset()


def make(group: str, name: str, **given: object) -> Any:  # noqa: ANN401 - the plug-in's own type
    """An instance of a registered dataclass with options; an unknown option is an error that lists the known ones.

    Raises:
        UnknownName: no such plug-in. ConfigError: no such option.
    """
    factory = find(group, name)
    known = options(group, name)
    unknown = sorted(set(given) - known) if dataclasses.is_dataclass(factory) else []
    if unknown:
        raise ConfigError(f"{name} has no option {', '.join(unknown)}: it has {', '.join(sorted(known)) or 'none'}")
    return factory(**given)
