"""A model's rotary positions as a value: rotated vectors can be turned on, because rotations compose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ragctx.attention.positions import frequencies as rates
from ragctx.errors import ConfigError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Rotation:
    """How a head's vectors turn with their position.

    Attributes:
        frequencies: of each pair, in radians a token. Numbers of a head beyond the last pair are not turned.
        halves: pair i is of the numbers i and i + len(frequencies), as in most checkpoints; else 2i and 2i + 1.

    Example:
        >>> Rotation.of({"head_dim": 4, "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}})
        Rotation(frequencies=(1.0, 0.01), halves=True)
    """

    frequencies: tuple[float, ...]
    halves: bool = True

    @classmethod
    def of(cls, config: Mapping[str, Any], *, halves: bool = True) -> Rotation:
        """That of a checkpoint's `config.json`.

        Args:
            config: its content; of a model with several parts the text model's.
            halves: which numbers make a pair.

        Raises:
            ConfigError: the model has no rotary positions, or some whose frequencies depend on the text's length.
        """
        given = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
        base = given.get("rope_theta") or config.get("rope_theta")
        heads, width = config.get("num_attention_heads"), config.get("head_dim")
        if base is None or not (width or (heads and config.get("hidden_size"))):
            raise ConfigError("this checkpoint tells no one rotary base: its positions cannot be stretched here")
        share = given.get("partial_rotary_factor") or config.get("partial_rotary_factor") or 1.0
        plain = rates.plain(int((width or config["hidden_size"] // heads) * share), float(base))
        trained = given.get("original_max_position_embeddings") or config.get("max_position_embeddings") or 0
        return cls(tuple(_stretched(plain, float(base), given, int(trained)).tolist()), halves)

    def turned(
        self, states: torch.Tensor, by: NDArray[np.int64], factor: NDArray[np.float64] | None = None
    ) -> torch.Tensor:
        """Vectors as if their tokens stood elsewhere.

        Angles are float64, the rotation is float32 or better, and only the result is rounded.

        Args:
            states: [tokens, heads, width], rotated to their positions.
            by: [tokens], how many positions each moves on; negative is back.
            factor: [tokens], what each is multiplied with.
        """
        import torch

        half = len(self.frequencies)
        exact = torch.promote_types(states.dtype, torch.float32)
        angles = torch.from_numpy(by[:, None] * np.asarray(self.frequencies))[:, None].to(states.device)
        cosine, sine = angles.cos().to(exact), angles.sin().to(exact)
        given = states.to(exact)
        step, other = (1, half) if self.halves else (2, 1)
        one, two = slice(0, step * half, step), slice(other, 2 * half, step)
        made = given.clone()
        made[..., one] = given[..., one] * cosine - given[..., two] * sine
        made[..., two] = given[..., two] * cosine + given[..., one] * sine
        if factor is not None:
            made *= torch.from_numpy(factor)[:, None, None].to(states.device, exact)
        return made.to(states.dtype)


def _stretched(plain: rates.Frequencies, base: float, given: Mapping[str, Any], trained: int) -> rates.Frequencies:
    kind = given.get("rope_type") or given.get("type") or "default"
    try:
        if kind == "linear":
            return rates.linear(plain, given["factor"])
        if kind == "llama3":
            return rates.llama3(plain, given["factor"], given["low_freq_factor"], given["high_freq_factor"], trained)
        if kind == "yarn":
            fast, slow = given.get("beta_fast") or 32.0, given.get("beta_slow") or 1.0
            return rates.yarn(plain, base, given["factor"], trained, fast, slow, given.get("truncate", True))
    except KeyError as missing:
        raise ConfigError(f"the checkpoint's {kind} positions lack {missing}: mend its config.json") from missing
    if kind != "default":
        raise ConfigError(f"{kind!r} positions depend on the text's length: only default, linear, llama3 and yarn work")
    return plain
