"""Answers as data: the JSON schema a pydantic model asks for, and the reading of replies that should follow it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragctx.prompts.replies import value_in

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Parsed:
    """A reply read as data.

    Attributes:
        data: plain JSON values; None where there is a problem.
        problem: what is wrong with the reply, in words the model can act on; empty when it is valid.
    """

    data: object = None
    problem: str = ""


def schema(kind: type[BaseModel]) -> str:
    """The model's JSON schema as canonical text: the same for the same model, so that cache keys agree.

    Example:
        >>> from pydantic import create_model
        >>> schema(create_model("Notice", months=(int, ...)))
        '{"properties":{"months":{"title":"Months","type":"integer"}},"required":["months"],"title":"Notice","type":"object"}'
    """
    return json.dumps(kind.model_json_schema(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def parse(kind: type[BaseModel], reply: str) -> Parsed:
    """The value a reply holds, checked against the model.

    Code fences and words around the value are passed over: small models write them whatever they are told.

    Example:
        >>> from pydantic import create_model
        >>> notice = create_model("Notice", months=(int, ...))
        >>> parse(notice, 'Here it is: {"months": 3}').data
        {'months': 3}
        >>> parse(notice, '{"months": "many"}').problem
        'months: Input should be a valid integer, unable to parse string as an integer'
    """
    from pydantic import ValidationError

    found, value = value_in(reply)
    if not found:
        return Parsed(problem="it holds no JSON value")
    try:
        return Parsed(kind.model_validate(value).model_dump(mode="json"))
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, one['loc'])) or 'value'}: {one['msg']}" for one in error.errors()[:5]]
        return Parsed(problem="; ".join(problems))
