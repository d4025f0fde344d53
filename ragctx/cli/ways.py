"""A strategy or a compressor as the command line names it, with options: `summarise:workflow=incremental`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ragctx.errors import ConfigError

if TYPE_CHECKING:
    from ragctx.cli.settings import Settings


def parsed(spec: str, flag: str = "--strategy", example: str = "retrieve:tokens=800") -> tuple[str, dict[str, object]]:
    """The name and the options.

    Args:
        spec: what was given.
        flag: by which; for an error to name.
        example: of how it should look.

    Raises:
        ConfigError: an option without its equals sign, or one given twice.

    Example:
        >>> parsed("summarise:workflow=incremental,focused=false"), parsed("full")
        (('summarise', {'workflow': 'incremental', 'focused': False}), ('full', {}))
    """
    from ragctx.cli.merging import value_of

    name, colon, rest = spec.partition(":")
    options: dict[str, object] = {}
    for pair in rest.split(",") if colon else ():
        option, equals, value = (part.strip() for part in pair.partition("="))
        option = option.replace("-", "_")
        if not option or not equals or option in options:
            wrong = "is given twice" if option in options else "is no NAME=VALUE"
            raise ConfigError(f"{flag} {spec!r}: {pair.strip()!r} {wrong}: write for example {example!r}")
        options[option] = value_of(value)
    return name.strip(), options


def chosen(wanted: Settings, spec: str | None) -> tuple[Settings, str | None]:
    """The settings with the options of the strategy that was named, and its name."""
    if spec is None:
        return wanted, None
    name, options = parsed(spec)
    if not options:
        return wanted, name
    given = {**wanted.strategy_options, name: {**wanted.strategy_options.get(name, {}), **options}}
    return wanted.model_copy(update={"strategy_options": given}), name
