"""Finds an LLMLingua-2 checkpoint, and tells from its files what it is before any weight is read.

Two are published (Pan et al., Findings of ACL 2024, arXiv:2403.12968; MIT), on XLM-RoBERTa and on multilingual BERT.
Nothing here depends on their names: any token classifier with two labels will do, whatever its folder is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragctx.encoders.checkpoints import Files
from ragctx.errors import ConfigError

_HINT = "give a folder or hub name of an LLMLingua-2 checkpoint, e.g. {!r}".format(
    "microsoft/llmlingua-2-bert-base-multilingual-cased-meetingbank"
)
_LABELS = 2
_LONGEST, _LEAST = 512, 16
# Backbones that count positions from the padding's number on, so that fewer are left for tokens.
_OFFSET = frozenset({"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert"})


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint's files say.

    Attributes:
        folder: where it lies. longest: tokens of a window, the special ones included.
        vocabulary: tokens that the weights know. identity: digest of all its files.
    """

    folder: Path
    longest: int
    vocabulary: int
    identity: str


def find(model: str, longest: int | None = None) -> Checkpoint:
    """The checkpoint of a folder or hub name.

    Raises:
        ConfigError: nothing of that name is here or on the hub, or it is another kind of model.
    """
    files = Files.of(model, _HINT)
    labels = files.shapes().get("classifier.weight", [0])[0]  # 0 where there is no head
    if labels != _LABELS:
        found = f"tells {labels} labels" if labels else "has no head that labels tokens"
        raise ConfigError(f"{model} {found}, not words to keep from words to drop: {_HINT}")
    return Checkpoint(
        files.folder, _longest(files.config, longest), int(files.config.get("vocab_size") or 0), files.identity()
    )


def _longest(config: Mapping[str, Any], wanted: int | None) -> int:
    """Tokens of a window: what is wanted, or was trained with, as far as the positions reach."""
    if wanted is not None and wanted < _LEAST:
        raise ConfigError(f"longest={wanted} leaves no room for a text: give at least {_LEAST}")
    reach = int(config.get("max_position_embeddings") or _LONGEST)
    if config.get("model_type") in _OFFSET:
        reach -= int(config.get("pad_token_id") or 0) + 1
    return min(reach, wanted or _LONGEST)
