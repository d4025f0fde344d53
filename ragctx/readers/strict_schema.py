"""JSON schemas as strict structured output takes them, which is less than JSON Schema is.

Strict output knows closed objects only, whose properties are all required, and a part of the keywords; see
https://platform.openai.com/docs/guides/structured-outputs. What cannot be written that way is not strict.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

# Constraints on a value are kept where they are known and dropped where not: whoever asked validates the reply anyway.
_KEPT = frozenset({
    "type", "enum", "const", "description", "title", "pattern", "multipleOf", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "minItems", "maxItems", "$ref",
})  # fmt: skip
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})
# Keywords that say what a value is made of: without them the schema would be another one.
_STRUCTURE = frozenset({
    "allOf", "not", "if", "then", "else", "prefixItems", "patternProperties", "propertyNames", "dependentRequired",
    "dependentSchemas", "contains", "unevaluatedProperties", "unevaluatedItems",
})  # fmt: skip


class _NotStrict(Exception):
    """The schema has a part that strict output does not know."""


def strict(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema with every object closed and every property required; None where that would make it another one.

    A property with a default has to be written by the model: where its type admits null, null is what says "nothing".
    Objects with free keys (`dict[str, int]`), tuples and values of any type have no strict form.

    Args:
        schema: as pydantic writes it; it is not changed.

    Example:
        >>> strict({"type": "object", "properties": {"months": {"type": "integer", "default": 3}}})
        {'type': 'object', 'properties': {'months': {'type': 'integer'}}, 'required': ['months'], \
'additionalProperties': False}
        >>> strict({"type": "object", "additionalProperties": {"type": "integer"}}) is None
        True
    """
    try:
        return _root(schema)
    except _NotStrict:
        return None


def _root(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The whole schema: an object; a model that refers to itself is only a reference at the top."""
    definitions = schema.get("$defs", {})
    top: Mapping[str, Any] = schema
    if "$ref" in schema:
        top = definitions.get(str(schema["$ref"]).removeprefix("#/$defs/"), {})
    if top.get("type") != "object":
        raise _NotStrict
    found = _node(top)
    return found | {"$defs": _each(definitions)} if definitions else found


def _node(schema: object) -> dict[str, Any]:
    if not isinstance(schema, Mapping) or _STRUCTURE & schema.keys():
        raise _NotStrict
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}  # nothing may stand beside it
    found = {name: value for name, value in schema.items() if name in _KEPT}
    if "(?" in found.get("pattern", ""):  # look-around is not known
        del found["pattern"]
    if schema.get("format") in _FORMATS:
        found["format"] = schema["format"]
    for name, inside in _INSIDE.items():
        if name in schema:
            found["anyOf" if name == "oneOf" else name] = inside(schema[name])
    if not found.keys() & {"type", "enum", "const", "anyOf"}:
        raise _NotStrict  # any value at all
    return _closed(schema, found) if _is(schema, "object") else _listed(schema, found)


def _closed(schema: Mapping[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    if "properties" not in schema or schema.get("additionalProperties", False) is not False:
        raise _NotStrict
    return found | {"required": list(schema["properties"]), "additionalProperties": False}


def _listed(schema: Mapping[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    if _is(schema, "array") and "items" not in schema:
        raise _NotStrict
    return found


def _is(schema: Mapping[str, Any], kind: str) -> bool:
    said = schema.get("type")
    return said == kind or (isinstance(said, list) and kind in said)


def _each(schemas: Mapping[str, object]) -> dict[str, Any]:
    return {name: _node(schema) for name, schema in schemas.items()}


def _any(schemas: list[object]) -> list[dict[str, Any]]:
    return [_node(schema) for schema in schemas]


_INSIDE: Mapping[str, Callable[[Any], object]] = {"properties": _each, "items": _node, "anyOf": _any, "oneOf": _any}
