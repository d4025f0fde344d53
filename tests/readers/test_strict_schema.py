"""What pydantic writes for answer types, as strict structured output takes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from enum import Enum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from ragctx.readers.strict_schema import strict
from ragctx.structured import schema

Unit = Enum("Unit", {"MONTHS": "months", "DAYS": "days"})


class Party(BaseModel):
    name: str = Field(min_length=1, description="as written")
    share: Decimal | None = None


class Notice(BaseModel):
    length: int = Field(3, ge=0)
    unit: Unit = Unit.MONTHS
    given_by: Party | None = Field(None, description="who gave it")
    parties: list[Party] = Field(default_factory=list, max_length=9)


class Tree(BaseModel):
    label: str
    children: list[Tree] = []


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Pets(BaseModel):
    pet: Cat | Dog = Field(discriminator="kind")


def found(kind: type[BaseModel]) -> dict[str, Any] | None:
    return strict(json.loads(schema(kind)))


def objects(value: Any) -> Iterator[dict[str, Any]]:
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(part)
    if isinstance(value, dict) and value.get("type") == "object":
        yield value


@pytest.mark.parametrize("kind", [Party, Notice, Tree, Pets])
def test_every_object_is_closed_and_whole(kind: type[BaseModel]) -> None:
    made = found(kind)
    assert made is not None
    assert made["type"] == "object"
    for one in objects(made):
        assert one["additionalProperties"] is False
        assert set(one["required"]) == set(one["properties"])
    text = json.dumps(made)
    assert not any(f'"{name}":' in text for name in ("default", "oneOf", "discriminator", "minLength"))
    assert "(?" not in text


def test_nested_models_options_lists_and_definitions() -> None:
    made = found(Notice)
    assert made is not None
    assert made["properties"]["given_by"]["anyOf"] == [{"$ref": "#/$defs/Party"}, {"type": "null"}]
    assert made["properties"]["parties"]["items"] == {"$ref": "#/$defs/Party"}
    assert made["properties"]["unit"] == {"$ref": "#/$defs/Unit"}
    assert made["$defs"]["Unit"]["enum"] == ["months", "days"]
    assert made["$defs"]["Party"]["required"] == ["name", "share"]


def test_what_follows_the_strict_schema_is_valid() -> None:
    value = {"length": 3, "unit": "days", "given_by": None, "parties": [{"name": "Ada", "share": None}]}
    assert Notice.model_validate(value).parties[0].name == "Ada"


class Free(BaseModel):
    rents: dict[str, int]


class Anything(BaseModel):
    value: Any


class Pair(BaseModel):
    pair: tuple[int, str]


class Open(BaseModel, extra="allow"):
    name: str


class Deep(BaseModel):
    inside: list[Free]


@pytest.mark.parametrize("kind", [Free, Anything, Pair, Open, Deep])
def test_what_has_no_strict_form_is_told(kind: type[BaseModel]) -> None:
    assert found(kind) is None
