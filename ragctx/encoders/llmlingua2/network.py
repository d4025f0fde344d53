"""The token classifier in torch, filled from safetensors; no code of a checkpoint is run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoModelForTokenClassification

from ragctx.encoders.llmlingua2.checkpoint import Checkpoint
from ragctx.errors import ConfigError

_SHOWN = 3
# In old files, but made anew by the model; or trained along and not used to label tokens.
_NEEDLESS = ("position_ids", "pooler.dense.weight", "pooler.dense.bias")


class Network:
    """A loaded checkpoint, in float32.

    Raises:
        ConfigError: configuration and weights do not make such a network, or there is no such device.
    """

    def __init__(self, checkpoint: Checkpoint, device: str, threads: int | None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self._device = _device(device)
        self._model = _loaded(checkpoint).to(self._device)

    def weigh(self, sequences: Sequence[Sequence[int]]) -> list[list[float]]:
        """For each token of each sequence how likely it is kept, 0 to 1."""
        most = max(map(len, sequences))
        ids = torch.tensor([[*tokens, *[0] * (most - len(tokens))] for tokens in sequences], device=self._device)
        mask = torch.tensor([[1] * len(s) + [0] * (most - len(s)) for s in sequences], device=self._device)
        with torch.inference_mode():
            logits = self._model(input_ids=ids, attention_mask=mask).logits
        kept = torch.softmax(logits.float(), dim=-1)[..., 1].tolist()
        return [kept[i][: len(one)] for i, one in enumerate(sequences)]


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as wrong:
        raise ConfigError(f"device {name!r} cannot be used here ({str(wrong).splitlines()[0]}): try 'cpu'") from wrong
    return device


def _loaded(checkpoint: Checkpoint) -> Any:  # noqa: ANN401 - transformers has no types
    name, log = checkpoint.folder.name, logging.getLogger("transformers.modeling_utils")
    level = log.level
    log.setLevel(logging.CRITICAL)  # what it says of weights that do not fit is said below, as an error
    try:
        # What the files lack is drawn at random: nobody else's draws are to change by that.
        with torch.random.fork_rng(devices=[]):
            model, told = AutoModelForTokenClassification.from_pretrained(
                checkpoint.folder, use_safetensors=True, local_files_only=True, output_loading_info=True,
                dtype=torch.float32, ignore_mismatched_sizes=True, trust_remote_code=False,
            )  # fmt: skip
    except Exception as wrong:  # transformers raises errors of many kinds, some of them plain ones
        why = (str(wrong).splitlines() or [type(wrong).__name__])[0]
        raise ConfigError(f"{name}: its files make no token classifier ({why}): fetch it again") from wrong
    finally:
        log.setLevel(level)
    wrong_ones = [
        ("it lacks", told["missing_keys"]),
        ("it has beyond that", [key for key in told["unexpected_keys"] if not key.endswith(_NEEDLESS)]),
        ("of another shape are", [key if isinstance(key, str) else key[0] for key in told["mismatched_keys"]]),
    ]
    said = "; ".join(
        f"{what} {', '.join(sorted(keys)[:_SHOWN])}{f' and {len(keys) - _SHOWN} more' if len(keys) > _SHOWN else ''}"
        for what, keys in wrong_ones if keys
    )  # fmt: skip
    if said:
        raise ConfigError(f"the weights of {name} are not those that its config.json describes: {said}; fetch it again")
    return model.eval()
