"""Finds a Provence checkpoint and tells its kind from its files, before any weight is read.

Two kinds are known. OpenProvence (MIT) saves a ModernBERT classifier below `ranking_model.` and a token head below
`pruning_head.`, and describes the backbone in `base_model_config`. Naver's Provence (CC BY-NC 4.0) is a DeBERTa-v2
classifier (`deberta.`, `pooler.`, `classifier.`) with a token head `token_classifier.`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ragctx.encoders.checkpoints import Files
from ragctx.errors import ConfigError

Kind = Literal["open-provence", "provence"]
_HEADS: dict[Kind, str] = {"open-provence": "pruning_head.classifier.weight", "provence": "token_classifier.weight"}
_BACKBONES: dict[Kind, str] = {"open-provence": "modernbert", "provence": "deberta-v2"}
_HINT = "give a folder or hub name of an OpenProvence or Provence checkpoint, e.g. {!r}".format(
    "hotchpotch/open-provence-reranker-xsmall-v1"
)
# OpenProvence's token head was trained on hidden_states[-1]. Up to transformers 4 that is ModernBERT's state before its
# last norm, from 5 on the one after it; a checkpoint says with which version it was saved.
_NORMED_FROM = 5
_DEFAULT_LONGEST, _SHORTEST = 512, 16
_SIZES = frozenset({"hidden_size", "max_position_embeddings", "vocab_size"})
_NOT_LAYERS = frozenset({
    "auto_map", "architectures", "model_type", "torch_dtype", "dtype", "id2label", "label2id", "num_labels",
    "attn_implementation", "_attn_implementation", "reference_compile", "transformers_version",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint's files say.

    Attributes:
        kind: which of the two. folder: where it lies. weights: its safetensors files.
        backbone: configuration of the backbone, as transformers takes it.
        labels: outputs of the ranking head; the first one is the score.
        longest: tokens of a window.
        normed: the token head reads the backbone's output after the last norm.
        identity: digest of all its files.
    """

    kind: Kind
    folder: Path
    weights: tuple[Path, ...]
    backbone: Mapping[str, Any]
    labels: int
    longest: int
    normed: bool
    identity: str


def find(model: str, longest: int | None = None) -> Checkpoint:
    """The checkpoint of a folder or hub name.

    Raises:
        ConfigError: nothing of that name is here or on the hub, or it is another kind of model.
    """
    files = Files.of(model, _HINT)
    config, shapes = files.config, files.shapes()
    kind = _kind(model, shapes)
    backbone = _backbone(model, kind, config, shapes)
    labels = _checked_heads(model, kind, shapes, backbone)
    return Checkpoint(
        kind, files.folder, files.weights, backbone, labels, _longest(model, kind, config, backbone, longest),
        _normed(config), files.identity(),
    )  # fmt: skip


def _kind(model: str, shapes: Mapping[str, object]) -> Kind:
    for kind, head in _HEADS.items():
        if head in shapes:
            return kind
    some = ", ".join(sorted(shapes)[:3]) or "nothing"
    raise ConfigError(f"{model} has no head that prunes (neither {' nor '.join(_HEADS.values())}; {some}): {_HINT}")


def _backbone(model: str, kind: Kind, config: Mapping[str, Any], shapes: Mapping[str, object]) -> dict[str, Any]:
    """The backbone's configuration, without what names code, classes or ways to compute."""
    described = (config.get("base_model_config") or {}) if kind == "open-provence" else config
    if not isinstance(described, Mapping):
        raise ConfigError(f"{model}: base_model_config in its config.json is no table: {_HINT}")
    of = str(described.get("model_type") or "a backbone that it does not describe")
    # Naver's configuration has a type of its own; its weights tell.
    known = of == _BACKBONES[kind] if kind == "open-provence" else any(key.startswith("deberta.") for key in shapes)
    if not known:
        raise ConfigError(f"{model} stands on {of}, not {_BACKBONES[kind]}: {_HINT}")
    for name in _SIZES & described.keys():
        _counted(model, name, described[name])
    return {key: value for key, value in described.items() if key not in _NOT_LAYERS}


def _counted(model: str, name: str, value: object) -> int:
    """A size that a configuration tells."""
    if not isinstance(value, int) or value < 1:
        raise ConfigError(f"{model}: its config.json says {name}={value!r}, which is no count: {_HINT}")
    return value


def _checked_heads(model: str, kind: Kind, shapes: Mapping[str, list[int]], backbone: Mapping[str, Any]) -> int:
    """Outputs of the ranking head; both heads must fit the backbone."""
    width = backbone.get("hidden_size")
    ranks = "ranking_model.classifier.weight" if "ranking_model.classifier.weight" in shapes else "classifier.weight"
    prunes, found = _HEADS[kind], shapes.get(ranks, [])
    if shapes[prunes] != [2, width]:
        raise ConfigError(f"{model}: {prunes} has shape {shapes[prunes]}, not {[2, width]} as its config says: {_HINT}")
    if len(found) != 2 or found[1] != width:
        raise ConfigError(f"{model}: {ranks} has shape {found or 'none'}, not [labels, {width}]: {_HINT}")
    return found[0]


def _longest(model: str, kind: Kind, config: Mapping[str, Any], backbone: Mapping[str, Any], wanted: int | None) -> int:
    """Tokens of a window: what is wanted, or was trained with, as far as the positions reach."""
    if wanted is not None and wanted < _SHORTEST:
        raise ConfigError(f"longest={wanted} leaves no room for a passage: give at least {_SHORTEST}")
    reach = int(backbone.get("max_position_embeddings", _DEFAULT_LONGEST))
    said = config.get("max_length") or _DEFAULT_LONGEST
    trained = _counted(model, "max_length", said) if kind == "open-provence" else reach
    longest = min(reach, wanted or trained)
    if longest < _SHORTEST:
        raise ConfigError(
            f"{model}: its config.json has windows of {longest}, not {_SHORTEST} tokens at least: {_HINT}"
        )
    return longest


def _normed(config: Mapping[str, Any]) -> bool:
    major = str(config.get("transformers_version") or "4").partition(".")[0]
    return major.isdigit() and int(major) >= _NORMED_FROM
