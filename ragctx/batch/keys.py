"""What makes a row of a job the same row: the question, the documents and the frozen configuration.

A key is a hash of (question id, question content, corpus manifest, configuration), so that an answer can never be taken
for the answer to something else.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from ragctx.batch.codec import dump, load, plain
from ragctx.errors import BadQuestion, ConfigError
from ragctx.types import Question

_SECRET_NAME = re.compile(
    r"^(.*[_-])?(api[_-]?key|secret|password|passwd|token|authori[sz]ation|bearer)$", re.IGNORECASE
)
_SECRET_ADDRESS = re.compile(r"://[^/\s@]+:[^/\s@]+@")
_LABELS = ("answers", "kind", "answerable")


def digest(*parts: str) -> str:
    """32 hexadecimal digits of the SHA-256 of the parts, each preceded by its length.

    Example:
        >>> digest("ab", "c") == digest("a", "bc")
        False
    """
    hashed = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        hashed.update(len(data).to_bytes(8, "big") + data)
    return hashed.hexdigest()[:32]


def canonical(value: object) -> str:
    """JSON with sorted keys: equal values have equal text, and 5.0 equals 5.

    Example:
        >>> canonical({"b": 5.0, "a": (True,)}) == canonical({"a": [True], "b": 5})
        True
    """
    return json.dumps(_whole(json.loads(dump(value))), sort_keys=True, separators=(",", ":"))


def question_json(question: Question) -> str:
    """The question as a job file holds it; an `answer_type` is held as its JSON schema.

    Raises:
        BadQuestion: the text has a character that no file can hold.
    """
    try:
        question.text.encode()
    except UnicodeEncodeError as error:
        raise BadQuestion(f"question {question.id!r} has a broken character: save it as UTF-8") from error
    return dump(_fields(question))


def question_hash(question: Question) -> str:
    """Hash of everything that may reach a model; gold answers and labels for reports are left out.

    Example:
        >>> question_hash(Question("Why?", answers=("so",))) == question_hash(Question("Why?"))
        True
        >>> question_hash(Question("Why?", instructions="Be brief.")) == question_hash(Question("Why?"))
        False
    """
    fields = _fields(question)
    return digest(canonical({name: value for name, value in fields.items() if name not in _LABELS}))


def read_question(text: str) -> tuple[Question, bool]:
    """The question `question_json` wrote, and whether it had an `answer_type` (which only its caller can give back)."""
    fields = json.loads(text)
    typed = fields.pop("answer_type") is not None
    return load(Question, json.dumps(fields)), typed


def row_key(identity: str, question: str, manifest: str, configuration: str) -> str:
    """The row's key from the question's id and hash, the corpus manifest and the configuration's hash."""
    return digest(identity, question, manifest, configuration)


def without_secrets(configuration: Mapping[str, object]) -> dict[str, Any]:
    """The configuration as plain JSON values.

    Raises:
        ConfigError: it holds something that looks like a key or a password, which must not be written to a file.
    """
    found = next(_secrets("", plain(configuration)), None)
    if found is not None:
        raise ConfigError(
            f"a job file never holds secrets: leave {found} out of the configuration, use the environment"
        )
    values: dict[str, Any] = json.loads(dump(configuration))
    return values


def _whole(value: object) -> object:
    """Numbers that are whole as integers, all the way down: a file may give 5.0 back where 5 was put in."""
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _secrets(name: str, value: object) -> Any:  # noqa: ANN401 - a generator of names
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _secrets(f"{name}.{key}".lstrip("."), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _secrets(f"{name}[{index}]", item)
    elif isinstance(value, str) and value and _is_secret(name, value):
        yield name


def _is_secret(name: str, value: str) -> bool:
    return bool(_SECRET_NAME.match(name.rpartition(".")[2]) or _SECRET_ADDRESS.search(value))


def _fields(question: Question) -> dict[str, Any]:
    fields: dict[str, Any] = {
        name: plain(getattr(question, name)) for name in Question.__dataclass_fields__ if name != "answer_type"
    }
    kind = question.answer_type
    return fields | {"answer_type": None if kind is None else kind.model_json_schema()}
