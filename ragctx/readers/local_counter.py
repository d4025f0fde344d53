"""An exact token counter made from a tokenizer folder, and the very encoding the local reader uses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ragctx.errors import ConfigError
from ragctx.readers.chat_template import ChatTemplate
from ragctx.work import Message

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MARK = "\ue000ragctx{}\ue001"  # private-use characters: no template and hardly a document has them


class TokenizerCounter:
    """Counts with a checkpoint's own `tokenizer.json` and chat template: exact, offline, thread-safe.

    Special tokens that stand in a *message*, such as a document saying `<|im_end|>`, are encoded as the plain
    characters they are, so document text cannot end its own turn. Truncation and padding are never set.

    Args:
        folder: a checkpoint folder holding `tokenizer.json`.
        name: shown in plans.

    Raises:
        ConfigError: the folder has no `tokenizer.json`.
    """

    exact = True

    def __init__(self, folder: Path, name: str = "") -> None:
        if not (folder / "tokenizer.json").exists():
            raise ConfigError(f"{folder} has no tokenizer.json: name a checkpoint folder with a fast tokenizer")
        self.name = name or f"tokenizer:{folder.name}"
        self._folder = folder
        # What is counted is counted again soon: a chunk for the next question, a prompt when it is sent.
        self._counted = lru_cache(maxsize=8192)(self._count)
        self._encoded = lru_cache(maxsize=64)(self._encode)

    def count(self, text: str) -> int:
        """Tokens of a text on its own, without special tokens."""
        return self._counted(text) if len(text) <= 4096 else self._count(text)

    def render(self, messages: Sequence[Message]) -> int:
        """Tokens of the whole prompt, chat template and generation prompt included."""
        return len(self.encode(messages))

    def encode(self, messages: Sequence[Message]) -> NDArray[np.int32]:
        """The token ids of the whole prompt; a shared array, to be read only.

        Raises:
            ValueError: the chat template refuses these messages.
        """
        return self._encoded(tuple(messages))

    def pieces(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Token ids of plain text and each one's character range."""
        encoding = self._plain.encode(text, add_special_tokens=False)
        return encoding.ids, encoding.offsets

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; special tokens leave no text."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))

    def _count(self, text: str) -> int:
        return len(self._plain.encode(text, add_special_tokens=False))

    def _encode(self, messages: tuple[Message, ...]) -> NDArray[np.int32]:
        specials = self._specials
        if specials is not None and any(specials.search(message.content) for message in messages):
            ids = self._encode_guarded(messages, specials)
        else:
            ids = self._tokenizer.encode(self._template.render(messages), add_special_tokens=False).ids
        array = np.asarray(ids, dtype=np.int32)
        array.flags.writeable = False
        return array

    def _encode_guarded(self, messages: tuple[Message, ...], specials: re.Pattern[str]) -> list[int]:
        """Put a mark where content names a special token, render, and encode what the marks stand for as plain text."""
        found: list[str] = []

        def mark(match: re.Match[str]) -> str:
            found.append(match.group())
            return _MARK.format(len(found) - 1)

        guarded = [Message(message.role, specials.sub(mark, message.content)) for message in messages]
        text = self._template.render(guarded)
        ids: list[int] = []
        for i, piece in enumerate(re.split(_MARK.format(r"(\d+)"), text)):
            is_mark = i % 2 == 1
            encoder = self._plain if is_mark else self._tokenizer
            ids += encoder.encode(found[int(piece)] if is_mark else piece, add_special_tokens=False).ids
        return ids

    @cached_property
    def _template(self) -> ChatTemplate:
        return ChatTemplate.of(self._folder)

    @cached_property
    def _tokenizer(self) -> Any:  # noqa: ANN401 - tokenizers has no types
        return self._load()

    @cached_property
    def _plain(self) -> Any:  # noqa: ANN401 - tokenizers has no types
        tokenizer = self._load()
        tokenizer.encode_special_tokens = True
        return tokenizer

    @cached_property
    def _specials(self) -> re.Pattern[str] | None:
        tokens = [t.content for t in self._tokenizer.get_added_tokens_decoder().values() if t.special]
        longest_first = sorted(tokens, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first))) if tokens else None

    def _load(self) -> Any:  # noqa: ANN401 - tokenizers has no types
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        tokenizer.no_truncation()  # some checkpoints ship with these set
        tokenizer.no_padding()
        return tokenizer
