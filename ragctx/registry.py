"""Finds plug-ins by the entry points that packages register, ours and third parties' alike.

A group is "strategies", "retrievers", "compressors", "readers", "encoders" or "rankers"; its entry-point group is
`ragctx.` plus that name. The core names no plug-in: what is installed is what there is. A second name for a plug-in,
and what to tell whoever uses it, is an `Alias` in the entry-point group `ragctx.aliases`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ragctx.errors import ConfigError, UnknownName


@dataclass(frozen=True, slots=True)
class Alias:
    """A second name, where people know a method by several, or several methods by one.

    Attributes:
        stands_for: the registered name, in every group that has it.
        note: which one is meant; told in plans and answers.
    """

    stands_for: str
    note: str


def meant(group: str, name: str) -> tuple[str, str]:
    """The registered name behind a name, and what to tell of it; the name itself and nothing where it is no alias.

    Example:
        >>> meant("retrievers", "bm25")
        ('bm25', '')
        >>> meant("retrievers", "crag")[0]
        'clustered'
    """
    points = _group("aliases")
    if name in _group(group) or name not in points:
        return name, ""
    alias: Alias = points[name].load()
    return (alias.stands_for, alias.note) if alias.stands_for in _group(group) else (name, "")


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
    name, _ = meant(group, name)
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
