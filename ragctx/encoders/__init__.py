"""Encoders and rankers: from a name or an object to a backend that answers `Embed`, or `Rerank`.

A name is `PLUGIN:MODEL`, as in `sentence-transformers:all-minilm-l6-v2`; the part before the colon is an entry point of
the group `ragctx.encoders` or `ragctx.rankers`. The packaged reading model is both, as `extractive`.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from typing import cast

from ragctx import registry
from ragctx.contracts import Backend, BatchBackend, RemoteBackend
from ragctx.encoders.encoding import Encode, Encoder
from ragctx.errors import ConfigError

DEFAULT = "sentence-transformers:all-minilm-l6-v2"
RANKER = "extractive"

__all__ = ["DEFAULT", "RANKER", "Encode", "Encoder", "available", "missing", "open_encoder", "open_ranker"]


def open_encoder(spec: str | object, **options: object) -> Backend:
    """The backend for a name, or for an object that can embed.

    Args:
        spec: `PLUGIN:MODEL`; or a backend, returned as it is; or any object with `encode(list of str) -> array`.
        **options: passed to the plug-in's `open_encoder` (`threads`, `device`, ...); those of `sentence-transformers`
            that change vectors are `length` and `temperature`, see `ragctx.encoders.stretching`.

    Raises:
        UnknownName: no such plug-in. MissingExtra: its packages are not installed.
        ConfigError: no such model, no such option, or the object cannot embed.

    Example:
        >>> import numpy as np
        >>> class Lengths:
        ...     def encode(self, texts):
        ...         return np.array([[len(text), 1.0] for text in texts])
        >>> open_encoder(Lengths()).facts.kinds
        frozenset({'Embed'})
    """
    if isinstance(spec, str):
        plugin, _, model = spec.partition(":")
        factory = registry.find("encoders", plugin)
        _check("encoder", plugin, factory, options)
        return cast("Backend", factory(model, **options))
    if options:
        named = ", ".join(sorted(options))
        raise ConfigError(
            f"a {type(spec).__name__} takes no {named}: give options where you made it, or name an encoder"
        )
    if isinstance(spec, BatchBackend | RemoteBackend):
        return spec
    if callable(getattr(spec, "encode", None)):
        return Encoder.around(cast("Encode", spec))
    raise ConfigError(
        f"a {type(spec).__name__} cannot embed: give a name such as {DEFAULT!r} or an object with .encode"
    )


def _check(kind: str, plugin: str, factory: Callable[..., object], options: Mapping[str, object]) -> None:
    known = list(inspect.signature(factory).parameters.values())[1:]
    names = sorted(parameter.name for parameter in known if parameter.kind is not parameter.VAR_KEYWORD)
    unknown = sorted(set(options) - set(names)) if len(names) == len(known) else []
    if unknown:
        has = ", ".join(names) or "none"
        raise ConfigError(f"the {kind} {plugin!r} has no option {', '.join(unknown)}: it has {has}")


def open_ranker(spec: str | object = RANKER, **options: object) -> Backend:
    """The backend that ranks texts, for a name; a backend is returned as it is.

    Args:
        spec: `extractive`, `PLUGIN:MODEL`, or a backend that answers `Rerank`.
        **options: passed to the plug-in's `open_ranker` (`threads`, ...).

    Raises:
        UnknownName: no such plug-in. MissingExtra: its packages are not installed.
        ConfigError: no such model, no such option, or the object cannot rank.

    Example:
        >>> sorted(open_ranker("extractive").facts.kinds)
        ['Embed', 'Extract', 'Prune', 'Rerank']
    """
    if isinstance(spec, str):
        plugin, _, model = spec.partition(":")
        factory = registry.find("rankers", plugin)
        _check("ranker", plugin, factory, options)
        return cast("Backend", factory(model, **options))
    if options:
        named = ", ".join(sorted(options))
        raise ConfigError(f"a {type(spec).__name__} takes no {named}: give options where you made it, or name a ranker")
    if isinstance(spec, BatchBackend | RemoteBackend):
        if "Rerank" not in spec.facts.kinds:
            raise ConfigError(f"{spec.facts.name} cannot rank: give a name such as {RANKER!r}, or a model that can")
        return spec
    raise ConfigError(f"a {type(spec).__name__} cannot rank: give a name such as {RANKER!r}, or a backend")


def available(spec: str = DEFAULT) -> bool:
    """Whether a named encoder can be opened here and now, without a download; imports no torch.

    Example:
        >>> available("no-such-plugin:model")
        False
    """
    return not missing(spec)


def missing(spec: str = DEFAULT) -> str:
    """What a named encoder lacks on this machine, as the command that mends it; empty when it can be opened.

    A plug-in answers by a function `missing(model)` beside its `open_encoder`; one without it is taken to lack nothing.

    Example:
        >>> missing("no-such-plugin:model").startswith("unknown encoder 'no-such-plugin'")
        True
    """
    plugin, _, model = spec.partition(":")
    try:
        module = sys.modules[registry.find("encoders", plugin).__module__]
    except ConfigError as error:
        return str(error)
    return str(module.missing(model)) if hasattr(module, "missing") else ""
