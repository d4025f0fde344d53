"""Embedding models: from a name or an object to a backend that answers `Embed`.

A name is `PLUGIN:MODEL`, as in `sentence-transformers:all-minilm-l6-v2`; the part before the colon is an entry point of
the group `ragctx.encoders`.
"""

from __future__ import annotations

import sys
from typing import cast

from ragctx import registry
from ragctx.contracts import Backend, BatchBackend, RemoteBackend
from ragctx.encoders.encoding import Encode, Encoder
from ragctx.errors import ConfigError

DEFAULT = "sentence-transformers:all-minilm-l6-v2"

__all__ = ["DEFAULT", "Encode", "Encoder", "available", "missing", "open_encoder"]


def open_encoder(spec: str | object, **options: object) -> Backend:
    """The backend for a name, or for an object that can embed.

    Args:
        spec: `PLUGIN:MODEL`; or a backend, returned as it is; or any object with `encode(list of str) -> array`.
        **options: passed to the plug-in's `open_encoder` (`threads`, `device`, ...).

    Raises:
        UnknownName: no such plug-in. MissingExtra: its packages are not installed.
        ConfigError: no such model, or the object cannot embed.

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
        return cast("Backend", registry.find("encoders", plugin)(model, **options))
    if isinstance(spec, BatchBackend | RemoteBackend):
        return spec
    if callable(getattr(spec, "encode", None)):
        return Encoder.around(cast("Encode", spec))
    raise ConfigError(
        f"a {type(spec).__name__} cannot embed: give a name such as {DEFAULT!r} or an object with .encode"
    )


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
