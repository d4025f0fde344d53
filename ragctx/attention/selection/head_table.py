"""Windows of a length of their own for each head, that grow with the text as each head needs."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ragctx.attention.extents import BLOCK
from ragctx.attention.selection.evidence import Evidence
from ragctx.attention.selection.rule import Mask, Settled, at_least
from ragctx.errors import ConfigError

Spans = tuple[tuple[tuple[float, float], ...], ...]
"""Of each layer, of each KV head: tokens of its window, and how many more for each token before it."""


@dataclass(frozen=True, slots=True)
class HeadTable(Settled):
    """A window of alpha + beta * length tokens for each layer and KV head, and sinks, after MoA (arXiv 2406.14909).

    The length is that of the text up to a query tile, not of the whole prompt as in the paper, so that a cut changes
    nothing. Query heads of a group share their KV head's window: the table holds the widest. Layers that the table
    lacks see everything.

    Attributes:
        table: spans of each layer, or a file of them, which is read at once; see `profiled` and `written`. A layer of a
            single span gives it to all of its heads.
        sinks: tokens at the beginning that all heads see.

    Raises:
        ConfigError: no such file, or a span that is none.

    Example:
        >>> import torch
        >>> from ragctx.attention import Extent
        >>> from ragctx.attention.selection.evidence import TensorKeys
        >>> query, keys = torch.zeros(64, 2, 16), TensorKeys(torch.zeros(1280, 2, 16))
        >>> rule = HeadTable(table=(((64, 0), (0, 0.5)),), sinks=64)
        >>> rule.mask(Evidence(Extent(64, 1280), query, keys)).sum(-1).tolist()
        [[2], [11]]
    """

    name: ClassVar[str] = "head-table"
    table: str | Spans = ()
    sinks: int = 128

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", read(self.table) if isinstance(self.table, str) else spans(self.table))
        Settled.__post_init__(self)
        at_least(self, "sinks", 0)

    def mask(self, seen: Evidence) -> Mask:
        """See `Rule`.

        Raises:
            ConfigError: the table was made for a model of another number of KV heads.
        """
        own = np.arange(seen.extent.base, seen.extent.base + seen.extent.tiles)[:, None]
        tiles = np.arange(seen.extent.base + seen.extent.tiles)
        earlier = np.repeat((tiles < own)[None], seen.kv_heads, 0)
        if seen.layer >= len(self.table):
            return earlier
        alphas, betas = np.array(self._row(seen))[:, :, None, None].swapaxes(0, 1)
        near = np.ceil((alphas + betas * own * BLOCK) / BLOCK - 1e-9)
        chosen: Mask = earlier & ((tiles >= own - near) | (tiles < -(-self.sinks // BLOCK)))
        return chosen

    def _row(self, seen: Evidence) -> list[tuple[float, float]]:
        row = list(spans(self.table)[seen.layer])
        if len(row) not in (1, seen.kv_heads):
            raise ConfigError(
                f"layer {seen.layer} of the head table has {len(row)} heads and the model {seen.kv_heads}: "
                "profile this model, or give one span for all heads"
            )
        return row * (seen.kv_heads // len(row))


def spans(value: Any) -> Spans:  # noqa: ANN401 - checked here
    """Spans told as lists of lists.

    Raises:
        ConfigError: a number is missing, negative, not finite, or a beta above 1.
    """
    if not isinstance(value, list | tuple) or not all(isinstance(layer, list | tuple) and layer for layer in value):
        raise ConfigError("table of head-table: give a list of layers, each a list of [alpha, beta] of its KV heads")
    return tuple(tuple(_span(span, number) for span in layer) for number, layer in enumerate(value))


def read(path: str | Path) -> Spans:
    """The spans of a file that `written` wrote.

    Raises:
        ConfigError: it cannot be read, or holds something else.
    """
    try:
        found = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as unread:
        raise ConfigError(f"table {str(path)!r} of head-table cannot be read: {unread}") from unread
    if not isinstance(found, dict) or set(found) != {"spans"}:
        raise ConfigError(f"table {str(path)!r} of head-table: give a JSON object with nothing but 'spans'")
    return spans(found["spans"])


def written(rule: HeadTable, path: Path) -> Path:
    """Write a rule's table as the file that its setting `table` may name.

    Example:
        >>> from tempfile import mkdtemp
        >>> made = HeadTable(table=(((64, 0.25),),))
        >>> HeadTable(table=str(written(made, Path(mkdtemp()) / "spans.json"))) == made
        True
    """
    path.write_text(json.dumps({"spans": rule.table}), "utf-8")
    return path


def _span(value: Any, layer: int) -> tuple[float, float]:  # noqa: ANN401
    numbers = isinstance(value, list | tuple) and len(value) == 2 and all(map(_number, value))
    if not numbers or value[0] < 0 or not 0 <= value[1] <= 1:
        raise ConfigError(
            f"span {value!r} in layer {layer} of the table of head-table: give [tokens from 0, share 0 to 1]"
        )
    return float(value[0]), float(value[1])


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
