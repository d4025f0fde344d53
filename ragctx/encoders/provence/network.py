"""The two networks in torch: transformers' backbones with heads of our own, filled from safetensors.

Nothing of a checkpoint's own code is run. Weights must fit to the last name and shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import DebertaV2Config, DebertaV2Model, ModernBertConfig, ModernBertModel
from transformers.activations import ACT2FN

from ragctx.encoders.checkpoints import must_fit
from ragctx.encoders.provence.checkpoint import Checkpoint
from ragctx.encoders.torch_parts import padded, placed
from ragctx.errors import ConfigError

# In old files, but made anew by the model; or trained along and not used to weigh sentences.
_NEEDLESS = ("position_ids", "pooling_weights.weight", "pooling_weights.bias")


class _Head(nn.Module):  # type: ignore[misc]  # the base class is untyped to mypy
    """ModernBERT's layer between the pooled state and the classifier."""

    def __init__(self, config: Any) -> None:  # noqa: ANN401 - transformers has no types
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size, bias=config.classifier_bias)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.norm_eps, bias=config.norm_bias)
        self.activation = ACT2FN[config.classifier_activation]

    def forward(self, states: Tensor) -> Tensor:
        """States [batch, width] to states of the same shape."""
        return cast("Tensor", self.norm(self.activation(self.dense(states))))


class _Classifier(nn.Module):  # type: ignore[misc]  # as above
    """A ModernBERT that classifies sequences, and its state before the last norm."""

    def __init__(self, config: Any, labels: int) -> None:  # noqa: ANN401
        super().__init__()
        self.model = ModernBertModel(config)
        self.head = _Head(config)
        self.classifier = nn.Linear(config.hidden_size, labels)
        self.pooling = config.classifier_pooling

    def forward(self, ids: Tensor, mask: Tensor, *, normed: bool) -> tuple[Tensor, Tensor]:
        """Logits [batch, labels] and the tokens' states [batch, tokens, width] that the token head reads."""
        before: list[Tensor] = []
        hook = self.model.final_norm.register_forward_pre_hook(lambda _, given: before.append(given[0]))
        try:
            states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        finally:
            hook.remove()
        weight = mask.unsqueeze(-1).to(states.dtype)
        pooled = states[:, 0] if self.pooling == "cls" else (states * weight).sum(1) / weight.sum(1)
        return self.classifier(self.head(pooled)), states if normed else before[0]


class _TokenHead(nn.Module):  # type: ignore[misc]  # as above
    def __init__(self, width: int) -> None:
        super().__init__()
        self.classifier = nn.Linear(width, 2)


class OpenProvence(nn.Module):  # type: ignore[misc]  # as above
    """ModernBERT with a ranking head on the pooled state and a pruning head on every token."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        config = ModernBertConfig(**checkpoint.backbone)
        self.ranking_model = _Classifier(config, checkpoint.labels)
        self.pruning_head = _TokenHead(config.hidden_size)
        self._normed = checkpoint.normed

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Ranking logits [batch, labels] and token logits [batch, tokens, 2]."""
        logits, states = self.ranking_model(ids, mask, normed=self._normed)
        return logits, self.pruning_head.classifier(states)


class _ContextPooler(nn.Module):  # type: ignore[misc]  # as above
    def __init__(self, config: Any) -> None:  # noqa: ANN401
        super().__init__()
        self.dense = nn.Linear(config.pooler_hidden_size, config.pooler_hidden_size)
        self.activation = ACT2FN[config.pooler_hidden_act]


class NaverProvence(nn.Module):  # type: ignore[misc]  # as above
    """DeBERTa-v3 with a ranking head on the pooled first token and a pruning head on every token."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        config = DebertaV2Config(**checkpoint.backbone)
        self.deberta = DebertaV2Model(config)
        self.pooler = _ContextPooler(config)
        self.classifier = nn.Linear(config.hidden_size, checkpoint.labels)
        self.token_classifier = nn.Linear(config.hidden_size, 2)

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Ranking logits [batch, labels] and token logits [batch, tokens, 2]."""
        states = self.deberta(input_ids=ids, attention_mask=mask).last_hidden_state
        pooled = self.pooler.activation(self.pooler.dense(states[:, 0]))
        return self.classifier(pooled), self.token_classifier(states)


class Network:
    """A loaded checkpoint that weighs windows, in float32.

    Raises:
        ConfigError: configuration and weights do not make such a network, or there is no such device.
    """

    def __init__(self, checkpoint: Checkpoint, device: str, threads: int | None) -> None:
        self._device = placed(device, threads)
        self._model = _loaded(checkpoint).to(self._device)

    def weigh(self, sequences: Sequence[Sequence[int]]) -> list[tuple[float, list[float]]]:
        """For each sequence of tokens its relevance and for each token how likely it is needed, 0 to 1."""
        ids, mask = padded(sequences, self._device)
        with torch.inference_mode():
            ranks, tokens = self._model(ids, mask)
        relevance = torch.sigmoid(ranks[:, 0].float()).tolist()
        needed = torch.softmax(tokens.float(), dim=-1)[..., 1].tolist()
        return [(relevance[i], needed[i][: len(one)]) for i, one in enumerate(sequences)]


def _loaded(checkpoint: Checkpoint) -> nn.Module:
    name = checkpoint.folder.name
    try:
        # The first values are drawn at random and then replaced: nobody else's draws are to change by that.
        with torch.random.fork_rng(devices=[]):
            model: nn.Module = (OpenProvence if checkpoint.kind == "open-provence" else NaverProvence)(checkpoint)
    except Exception as wrong:  # transformers' configurations raise errors of many kinds, some of them plain ones
        raise ConfigError(f"{name}: its config.json makes no network ({wrong}): fetch the checkpoint again") from wrong
    given = {key: tensor for path in checkpoint.weights for key, tensor in load_file(path).items()}
    if checkpoint.kind == "open-provence" and not any(key.startswith("ranking_model.") for key in given):
        given = {key if key.startswith("pruning_head.") else f"ranking_model.{key}": t for key, t in given.items()}
    _must_fit(name, {key: value.shape for key, value in model.state_dict().items()}, given)
    model.load_state_dict(given, strict=False)
    return model.eval()


def _must_fit(name: str, wanted: dict[str, torch.Size], given: dict[str, Tensor]) -> None:
    """Every tensor is there, none is left over, all shapes agree."""
    lacking = [key for key in wanted if key not in given]
    needless = [key for key in given if key not in wanted and not key.endswith(_NEEDLESS)]
    other = [
        f"{key} {list(given[key].shape)} for {list(shape)}"
        for key, shape in wanted.items() if key in given and given[key].shape != shape
    ]  # fmt: skip
    must_fit(name, lacking, needless, other)
