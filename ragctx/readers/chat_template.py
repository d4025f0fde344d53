"""Turns chat messages into the one text a model was trained on, by the template that comes with its tokenizer.

Templates are Jinja programs written by whoever published the weights, so they run in Jinja's immutable sandbox.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from ragctx.errors import ConfigError, MissingExtra
from ragctx.work import Message


@dataclass(frozen=True)
class ChatTemplate:
    r"""A model's chat template.

    Attributes:
        source: the Jinja text. specials: `bos_token`, `eos_token` and the like, which templates may name.

    Example:
        >>> template = ChatTemplate("{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}")
        >>> template.render([Message("user", "Hello")])
        '<user>Hello\n'
    """

    source: str
    specials: Mapping[str, str]

    def __init__(self, source: str, specials: Mapping[str, str] | None = None) -> None:
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "specials", dict(specials or {}))

    @classmethod
    def of(cls, folder: Path) -> ChatTemplate:
        """The template of a checkpoint folder.

        Raises:
            ConfigError: the folder has none, as base models have none.
        """
        config = _tokenizer_config(folder)
        source = _source(folder, config)
        if source is None:
            raise ConfigError(
                f"{folder.name} has no chat template: use an instruction-tuned checkpoint, "
                "or put its template beside the weights as chat_template.jinja"
            )
        return cls(source, {name: _content(value) for name, value in config.items() if name.endswith("_token")})

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt text, up to the place where the assistant's answer begins.

        Raises:
            ValueError: the template refuses these messages, as some refuse a system message.
        """
        from jinja2 import TemplateError

        turns = [{"role": message.role, "content": message.content} for message in messages]
        try:
            return str(self._compiled.render(messages=turns, add_generation_prompt=True, **self.specials))
        except TemplateError as refused:
            raise ValueError(f"the model's chat template refuses these messages: {refused}") from refused

    @cached_property
    def _compiled(self) -> Any:  # noqa: ANN401 - jinja2 is optional
        try:
            from jinja2.ext import loopcontrols
            from jinja2.sandbox import ImmutableSandboxedEnvironment
        except ImportError as missing:
            raise MissingExtra("rendering a chat template", "local", "jinja2") from missing
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
        environment.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False, **options)
        environment.globals |= {"raise_exception": _refuse, "strftime_now": datetime.now().strftime}
        return environment.from_string(self.source)


def _refuse(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)


def _tokenizer_config(folder: Path) -> dict[str, Any]:
    path = folder / "tokenizer_config.json"
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}


def _content(token: object) -> str:
    return str(token.get("content", "")) if isinstance(token, Mapping) else str(token or "")


def _source(folder: Path, config: Mapping[str, Any]) -> str | None:
    path = folder / "chat_template.jinja"
    if path.exists():
        return path.read_text("utf-8")
    named = config.get("chat_template")
    if isinstance(named, list):  # several templates by name; "default" is the plain chat
        named = {entry["name"]: entry["template"] for entry in named}.get("default")
    return named if isinstance(named, str) else None
