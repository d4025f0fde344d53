"""Parts of networks in torch that do not depend on which network it is. This module imports torch."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ragctx.errors import ConfigError


def placed(device: str, threads: int | None) -> torch.device:
    """The device of a name; the process's threads are set where they are named.

    Raises:
        ConfigError: there is no such device here.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        found = torch.device(device)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError) as wrong:
        raise ConfigError(f"device {device!r} cannot be used here ({str(wrong).splitlines()[0]}): try 'cpu'") from wrong
    return found


def padded(sequences: Sequence[Sequence[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Sequences side by side and the mask of their tokens, both int64 [sequences, longest]."""
    most = max(map(len, sequences))
    ids = torch.tensor([[*tokens, *[0] * (most - len(tokens))] for tokens in sequences], device=device)
    mask = torch.tensor([[1] * len(s) + [0] * (most - len(s)) for s in sequences], device=device)
    return ids, mask
