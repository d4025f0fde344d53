"""The token classifier in torch, filled from safetensors; no code of a checkpoint is run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoModelForTokenClassification

from ragctx.encoders.checkpoints import must_fit
from ragctx.encoders.llmlingua2.checkpoint import Checkpoint
from ragctx.encoders.torch_parts import padded, placed
from ragctx.errors import ConfigError

# In old files, but made anew by the model; or trained along and not used to label tokens.
_NEEDLESS = ("position_ids", "pooler.dense.weight", "pooler.dense.bias")


class Network:
    """A loaded checkpoint, in float32.

    Raises:
        ConfigError: configuration and weights do not make such a network, or there is no such device.
    """

    def __init__(self, checkpoint: Checkpoint, device: str, threads: int | None) -> None:
        self._device = placed(device, threads)
        self._model = _loaded(checkpoint).to(self._device)

    def weigh(self, sequences: Sequence[Sequence[int]]) -> list[list[float]]:
        """For each token of each sequence how likely it is kept, 0 to 1."""
        ids, mask = padded(sequences, self._device)
        with torch.inference_mode():
            logits = self._model(input_ids=ids, attention_mask=mask).logits
        kept = torch.softmax(logits.float(), dim=-1)[..., 1].tolist()
        return [kept[i][: len(one)] for i, one in enumerate(sequences)]


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
    beyond = [key for key in told["unexpected_keys"] if not key.endswith(_NEEDLESS)]
    other = [key if isinstance(key, str) else key[0] for key in told["mismatched_keys"]]
    must_fit(name, sorted(told["missing_keys"]), sorted(beyond), sorted(other))
    return model.eval()
