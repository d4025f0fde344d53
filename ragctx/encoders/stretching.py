"""Encoders of the BERT kind stretched without training: longer inputs, and attention that stays sharp on them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragctx.errors import ConfigError

_CONFIGS = ("config.json", "0_Transformer/config.json")


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is changed in a loaded encoder; nothing by default.

    Position interpolation (LongEmbed, arXiv 2404.12096): an input of more tokens than the model has learned positions
    for, T, is read at the positions j * T / length, each between two learned ones. Inputs within the T positions are
    read as ever, to the last bit of their positions, also where a longer input stands in the same batch.

    TempScale (Length Collapse, arXiv 2410.24200): attention logits are divided by `temperature` in every layer, below 1
    sharpens. Queries are linear, so their projection is divided once instead and attention stays the fused one.

    Both change vectors, so both are part of the encoder's identity, and indexes are built anew. The published gains
    were measured with other encoders and tasks.

    Attributes:
        length: the most tokens of an input; None leaves the model's own limit.
        temperature: of attention; 1 leaves it, published values lie from 0.8 to 0.98.

    Raises:
        ConfigError: an option makes no sense.

    Example:
        >>> Stretch().identity, Stretch(4096, 0.9).identity
        ('', ':length=4096:temperature=0.9')
    """

    length: int | None = None
    temperature: float = 1.0

    def __post_init__(self) -> None:
        # Both may come from a settings file or a flag.
        if self.length is not None and (type(self.length) is not int or self.length < 1):
            raise ConfigError(f"the encoder's length must be a whole number from 1, e.g. 1024, not {self.length!r}")
        if type(self.temperature) not in (int, float) or not 0 < self.temperature < float("inf"):
            raise ConfigError(f"the encoder's temperature must be a number above 0, e.g. 0.9, not {self.temperature!r}")

    @property
    def identity(self) -> str:
        """What it adds to the encoder's identity."""
        length = f":length={self.length}" if self.length is not None else ""
        return length + (f":temperature={self.temperature!r}" if self.temperature != 1 else "")

    def check(self, folder: Path) -> None:
        """Refuse a model that cannot be stretched, before its weights are read.

        Args:
            folder: of the model.

        Raises:
            ConfigError: it is not of the BERT kind, or has that many positions already.
        """
        if not self.identity:
            return
        found = next((folder / name for name in _CONFIGS if (folder / name).is_file()), None)
        config = json.loads(found.read_text(encoding="utf-8")) if found else {}
        if config.get("model_type") != "bert" or config.get("position_embedding_type", "absolute") != "absolute":
            raise ConfigError(
                f"length and temperature stretch encoders of the BERT kind with absolute positions, and {folder.name} "
                f"is {config.get('model_type', 'of an unknown kind')!r}: leave them out, or name another encoder"
            )
        own = int(config["max_position_embeddings"])
        if self.length is not None and self.length <= own:
            raise ConfigError(f"{folder.name} has {own} positions of its own: give a length above, or none")

    def apply(self, model: Any) -> None:  # noqa: ANN401 - the library has no types
        """Change a loaded sentence-transformers model in place, once.

        Args:
            model: a `SentenceTransformer` of the BERT kind.
        """
        bert = model[0].auto_model
        if self.temperature != 1:
            _sharpen(bert, self.temperature)
        if self.length is not None:
            _lengthen(bert, self.length)
            model.tokenizer.model_max_length = self.length
            model.max_seq_length = self.length


def _sharpen(bert: Any, temperature: float) -> None:  # noqa: ANN401
    import torch

    with torch.no_grad():
        for layer in bert.encoder.layer:
            query = layer.attention.self.query
            query.weight.div_(temperature)
            query.bias.div_(temperature)


def _lengthen(bert: Any, length: int) -> None:  # noqa: ANN401
    """The learned rows, and after them the interpolated ones; a hook says which of them each input reads."""
    import torch

    embeddings = bert.embeddings
    learned = embeddings.position_embeddings.weight.detach()
    own, rows = len(learned), torch.cat([learned, _interpolated(learned, length)])
    embeddings.position_embeddings = torch.nn.Embedding.from_pretrained(rows, freeze=True)
    # Looked up by position where a tokenizer gives no token types.
    zeros = torch.zeros((1, len(rows)), dtype=torch.long, device=rows.device)
    embeddings.register_buffer("token_type_ids", zeros, persistent=False)
    padding = bert.config.pad_token_id

    def placed(module: Any, args: tuple[Any, ...], given: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:  # noqa: ANN401
        ids = args[0] if args else given["input_ids"]
        places = torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)
        long = (ids != padding).sum(dim=1, keepdim=True) > own
        # Of a short input only the padding, which nobody attends to, stands behind the learned rows.
        return args, {**given, "position_ids": torch.where(long, own + places, places.clamp(max=own - 1))}

    embeddings.register_forward_pre_hook(placed, with_kwargs=True)


def _interpolated(learned: Any, length: int) -> Any:  # noqa: ANN401
    """`length` rows, the j-th of them at j * T / length between the T learned ones."""
    import torch

    last = len(learned) - 1
    at = (torch.arange(length, device=learned.device, dtype=torch.float64) * len(learned) / length).clamp(max=last)
    below = at.floor().long()
    share = (at - below).to(learned.dtype).unsqueeze(1)
    return torch.lerp(learned[below], learned[(below + 1).clamp(max=last)], share)
