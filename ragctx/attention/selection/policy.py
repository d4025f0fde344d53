"""Where a rule may decide, and what is seen whatever it decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from ragctx.attention.extents import BLOCK, Extent
from ragctx.attention.index import BlockIndex
from ragctx.attention.selection import RULES
from ragctx.attention.selection.evidence import Evidence
from ragctx.attention.selection.pooled import Pooled
from ragctx.attention.selection.rule import Mask, Rule
from ragctx.attention.selection.streaming import floors
from ragctx.errors import ConfigError, UnknownName


@dataclass(frozen=True, slots=True)
class Sparsity:
    """A policy of sparse attention.

    Only whole tiles are sparse. A tile that a chunk's border cuts and the last rows of a chunk see everything, so what
    a cut changes is that some rows see more: none ever sees less for how a prompt was cut into chunks. That holds for a
    prompt's single last query too, where whoever calls tells it from a step (`Evidence.prompt`).

    Attributes:
        rule: which tiles are seen. sinks: tokens at the beginning, and local: before each tile, that always are.
        gate: tokens at the beginning of a sequence that are computed densely; a sequence as short is dense altogether.
        dense_layers: how many first layers are dense.
        last_rows: queries at a chunk's end that see everything.
        decode: the rule of steps, single queries behind a sequence; they see everything where there is none.

    Raises:
        ConfigError: a number below zero, or none.

    Example:
        >>> import torch
        >>> from ragctx.attention.selection.evidence import TensorKeys
        >>> made = Sparsity.of({"rule": "streaming", "gate": 128, "sinks": 64, "local": 64, "dense_layers": 0})
        >>> seen = Evidence(Extent(512, 512), torch.zeros(512, 4, 16), TensorKeys(torch.zeros(512, 2, 16)))
        >>> made.index([seen]).row(0, 1, 5).tolist(), made.index([seen]).row(0, 1, 7).tolist()
        ([0, 4, 5], [0, 1, 2, 3, 4, 5, 6, 7])
        >>> made.fingerprint
        'sparse(streaming(sinks=64,local=64),sinks=64,local=64,gate=128,dense_layers=0,last_rows=64,decode=None)'
    """

    rule: Rule = field(default_factory=lambda: Pooled(growth=0.25))
    sinks: int = 128
    local: int = 512
    gate: int = 4096
    dense_layers: int = 2
    last_rows: int = 64
    decode: Rule | None = None

    def __post_init__(self) -> None:
        for name in _NUMBERS:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ConfigError(f"{name} {value!r} of a sparse policy: give a whole number from 0")

    @classmethod
    def of(cls, value: str | Mapping[str, object] | Sparsity) -> Sparsity | None:
        """The policy of an option; None is dense attention.

        Args:
            value: "off", "auto", the name of a rule, a policy, or a mapping of this class's fields, where `rule` is a
                name, any setting of that rule stands beside it, and `decode` is a name or such a mapping of its own.

        Raises:
            UnknownName: no such rule or setting. ConfigError: a number out of range.
        """
        if isinstance(value, Sparsity):
            return value
        if isinstance(value, str):
            return {"off": None, "auto": cls()}[value] if value in ("off", "auto") else cls._told({"rule": value})
        if isinstance(value, Mapping):
            return cls._told(value)
        raise ConfigError(f"sparse={value!r}: give 'off', 'auto', the name of a rule, or a mapping of settings")

    @classmethod
    def _told(cls, given: Mapping[str, Any]) -> Sparsity:
        own = {name: given[name] for name in _NUMBERS if name in given}
        rest = {name: value for name, value in given.items() if name not in (*_NUMBERS, "rule", "decode")}
        more: dict[str, Any] = {"decode": _rule(given["decode"])} if given.get("decode") else {}
        if "rule" not in given and not rest:
            return cls(**own, **more)
        return cls(_rule({"rule": given.get("rule", cls().rule.name)} | rest, own), **own, **more)

    @property
    def fingerprint(self) -> str:
        """A text that is equal for two policies exactly when they choose alike, in any process."""
        numbers = ",".join(f"{name}={getattr(self, name)}" for name in _NUMBERS)
        decode = self.decode.fingerprint if self.decode else None
        return f"sparse({self.rule.fingerprint},{numbers},decode={decode})"

    def index(self, seen: Sequence[Evidence]) -> BlockIndex | None:
        """The index of a call; None where the policy covers none of its requests, which then are dense.

        Args:
            seen: each request. Those that are not covered get rows of everything beside those that are.
        """
        masks = [None if each.layer < self.dense_layers else self._mask(each) for each in seen]
        if all(mask is None for mask in masks):
            return None
        heads, extents = seen[0].kv_heads, [each.extent for each in seen]
        full = (
            _everything(extent, heads) if mask is None else mask for extent, mask in zip(extents, masks, strict=True)
        )
        return BlockIndex.masked(extents, heads, list(full))

    def _mask(self, seen: Evidence) -> Mask | None:
        extent = seen.extent
        if extent.queries == 1 and not seen.prompt:
            return self._rows(self.decode, seen) if self.decode and extent.keys > self.gate else None
        begin = -(-max(extent.first, self.gate) // BLOCK) * BLOCK
        end = (extent.keys - self.last_rows) // BLOCK * BLOCK
        if begin >= end:
            return None
        rows = self._rows(self.rule, seen.part(begin, end))
        mask, top = _everything(extent, len(rows)), begin // BLOCK - extent.base
        mask[:, top : top + rows.shape[1], : rows.shape[2]] = rows
        return mask

    def _rows(self, rule: Rule, seen: Evidence) -> Mask:
        return rule.mask(seen) | floors(seen.extent, self.sinks, self.local)


_NUMBERS = tuple(each.name for each in fields(Sparsity) if each.type == "int")


def _everything(extent: Extent, heads: int) -> Mask:
    return np.ones((heads, extent.tiles, extent.base + extent.tiles), np.bool_)


def _rule(given: Any, policy: Mapping[str, object] | None = None) -> Rule:  # noqa: ANN401 - checked here
    """A rule by name or by a mapping; settings that a policy has by the same name count for both."""
    told = {"rule": given} if isinstance(given, str) else given
    if not isinstance(told, Mapping) or "rule" not in told:
        raise ConfigError(f"{given!r} is no rule: give a name ({', '.join(sorted(RULES))}) or a mapping with 'rule'")
    settings = {name: _frozen(value) for name, value in told.items() if name != "rule"}
    made = RULES.get(str(told["rule"]))
    if made is None:
        raise UnknownName("selection rule", str(told["rule"]), RULES)
    known = [each.name for each in fields(made)]  # type: ignore[arg-type]
    if strange := sorted(set(settings) - set(known)):
        raise UnknownName(f"setting of {made.name}", strange[0], {*known, *(() if policy is None else _NUMBERS)})
    shared = {name: value for name, value in (policy or {}).items() if name in known}
    return made(**shared | settings)


def _frozen(value: object) -> object:
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value
