"""Embedding models: from a name or an object to a backend that answers `Embed`.

A name is `PLUGIN:MODEL`, as in `sentence-transformers:all-minilm-l6-v2`; the part before the colon is an entry point of
the group `ragctx.encoders`.
"""

from __future__ import annotations

from typing import cast

from ragctx import registry
from ragctx.contracts import Backend, BatchBackend, RemoteBackend
from ragctx.encoders.encoding import Encode, Encoder
from ragctx.errors import ConfigError

DEFAULT = "sentence-transformers:all-minilm-l6-v2"

__all__ = ["DEFAULT", "Encode", "Encoder", "available", "open_encoder"]


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
    """Whether a named encoder's packages and, for the default, its weights are installed; loads no model.

    Example:
        >>> available("no-such-plugin:model")
        False
    """
    plugin, _, model = spec.partition(":")
    if plugin not in registry.names("encoders"):
        return False
    asks = getattr(__import__(registry.find("encoders", plugin).__module__, fromlist=["available"]), "available", None)
    return bool(asks(model)) if asks else True
