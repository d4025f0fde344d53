"""What vLLM has to be told of a checkpoint's positions where texts are longer than it was trained to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragctx.errors import ConfigError
from ragctx.readers.local_attention import LocalAttention

if TYPE_CHECKING:
    from ragctx.attention.positions import DualChunk


@dataclass(frozen=True, slots=True)
class Stretched:
    """A checkpoint's window, as it is or stretched.

    Attributes:
        window: tokens; None where nobody says. dual: how our attention stretches it.
        overrides: what vLLM shall take in place of what the configuration says.
    """

    window: int | None
    dual: DualChunk | None
    overrides: Mapping[str, Any]

    @classmethod
    def of(cls, positions: str, folder: Path) -> Stretched:
        """By an option as the local reader takes it; a window that slides is vLLM's business and bounds nothing here.

        Raises:
            ConfigError: no such positions, or a checkpoint that they do not suit.
        """
        config = json.loads((folder / "config.json").read_text("utf-8"))
        trained = (config.get("text_config") or config).get("max_position_embeddings")
        made = LocalAttention.of("off", positions, trained)
        if not made.kind:
            return cls(trained, None, {})
        if "text_config" in config:
            raise ConfigError(f"positions of {folder.name}, a model of several parts, cannot be stretched here")
        longer = {"max_position_embeddings": made.window}  # vLLM makes its table of angles as long as that
        return cls(made.window, made.dual, longer if made.dual else longer | _yarn(config, made))


def _yarn(config: Mapping[str, Any], made: LocalAttention) -> dict[str, Any]:
    before = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    if before.get("rope_type", before.get("type", "default")) != "default":
        raise ConfigError("YaRN takes a checkpoint with plain rotary positions: this one has others")
    base = before.get("rope_theta") or config.get("rope_theta") or 10_000.0
    told = {"rope_type": "yarn", "factor": made.factor, "original_max_position_embeddings": made.trained}
    return {"rope_parameters": {**before, "rope_theta": base, **told}}
