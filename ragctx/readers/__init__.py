"""Language models behind one contract: in this process, behind an endpoint, from LangChain, or scripted."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

from ragctx.errors import ConfigError, UnknownName

if TYPE_CHECKING:
    from ragctx.contracts import Backend

DEFAULT = "local:smollm2-135m"

__all__ = ["DEFAULT", "missing", "open_model"]


def open_model(spec: str | object, **options: object) -> Backend:
    """The model that a name or an object stands for.

    A name is `SCHEME:REST`, e.g. `local:smollm2-135m` or `openai:qwen3-8b@http://localhost:8000/v1`; the scheme is
    looked up among the installed `ragctx.readers` entry points. A LangChain chat model is wrapped; what already is a
    backend is returned as it is.

    Args:
        spec: name or object.
        options: of the reader, e.g. `dtype="bfloat16"` for `local:` or `timeout=30` for `openai:`.

    Raises:
        UnknownName: no reader of that scheme is installed. ConfigError: an option the reader does not have.

    Example:
        >>> open_model("lokal:smollm2-135m")
        Traceback (most recent call last):
        ragctx.errors.UnknownName: unknown reader 'lokal': did you mean 'local'? (known: local, openai, scripted, vllm)
    """
    if isinstance(spec, str):
        return _named(spec, options)
    if hasattr(spec, "facts") and (hasattr(spec, "serve") or hasattr(spec, "call")):
        if options:
            raise ConfigError(f"{type(spec).__name__} is already open: give its options where you made it")
        return spec  # type: ignore[return-value]  # the protocol's members are there
    if hasattr(spec, "ainvoke") and hasattr(spec, "astream"):
        from ragctx.readers.langchain import LangChainReader

        return _checked(LangChainReader, spec, options)
    raise ConfigError(
        f"{type(spec).__name__} is no model: give a name such as 'local:smollm2-135m', "
        "a LangChain chat model or a backend of your own"
    )


def missing(spec: str = DEFAULT) -> str:
    """What a named model lacks on this machine, as the commands that mend it; empty when it can be opened.

    A plug-in answers by a function `missing(model)` beside its `open_reader`; one without it is taken to lack nothing.

    Example:
        >>> missing("scripted:echo"), missing("local:smollm2-135m")[:11] in ("", "pip install")
        ('', True)
    """
    from ragctx import registry

    scheme, _, model = spec.partition(":")
    module = sys.modules[registry.find("readers", scheme).__module__]
    return str(module.missing(model)) if hasattr(module, "missing") else ""


def _named(spec: str, options: dict[str, object]) -> Backend:
    from ragctx import registry

    scheme, colon, rest = spec.partition(":")
    if not colon or not rest:
        known = registry.names("readers")
        if scheme not in known:
            raise UnknownName("reader", spec, known)
        raise ConfigError(f"{spec!r} names no model: write {scheme}:MODEL, e.g. local:smollm2-135m")
    return _checked(registry.find("readers", scheme), rest, options)


def _checked(factory: Any, first: object, options: dict[str, object]) -> Backend:  # noqa: ANN401 - any plug-in
    known = list(inspect.signature(factory).parameters.values())[1:]
    free = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known)
    unknown = sorted(set(options) - {parameter.name for parameter in known})
    if unknown and not free:
        names = ", ".join(sorted(p.name for p in known if p.kind is not p.VAR_KEYWORD))
        raise ConfigError(f"this reader has no option {', '.join(unknown)}: it has {names or 'none'}")
    backend: Backend = factory(first, **options)
    return backend
