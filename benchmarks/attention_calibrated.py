"""Rules that know a model beforehand, from two texts that are not asked about: head tables and lazy layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from attention_cells import Found
from attention_needles import haystack

from ragctx.attention import Extent
from ragctx.attention.selection.evidence import Evidence, TensorKeys
from ragctx.attention.selection.lazy_layers import laziest
from ragctx.attention.selection.policy import Sparsity
from ragctx.attention.selection.profile import lazy_ratios, profiled

if TYPE_CHECKING:
    from attention_engine import Rig

LENGTHS, LAST, SEED = (1600, 3600), 64, 10_000
SHARE = 0.95  # of attention, that each head's window holds
LAZY = 0.5  # of the layers


class Collecting:
    """A policy that attends densely and keeps the last queries and all keys of each layer."""

    fingerprint = "collecting"

    def __init__(self) -> None:
        self.layers: dict[int, Evidence] = {}

    def index(self, seen: Sequence[Evidence]) -> None:
        """Nothing is left out; a later chunk's evidence takes the place of an earlier one's."""
        for each in seen:
            if each.extent.queries >= LAST:
                keys = each.keys.rows(0, each.extent.keys).clone()
                query = each.query[-LAST:].clone()
                self.layers[each.layer] = replace(
                    each, extent=Extent(LAST, len(keys)), query=query, keys=TensorKeys(keys)
                )


def calibrated(rig_of: Callable[[], Rig], lengths: Sequence[int] = LENGTHS) -> Found:
    """The settings of both rules for a model, as plain values."""
    rig, seen = rig_of(), []
    for length in lengths:
        collecting = Collecting()
        rig.attend(collecting)
        [(_, said)] = haystack(rig.counter.count, length, SEED).prompts(["eight-key"], 1)
        rig.read(rig.prompt(said))
        seen.append(collecting.layers)
    short, long = seen
    ratios = lazy_ratios(list(long.values()), local=min(1024, lengths[1] // 4))
    table = profiled(short, long, SHARE).table
    return {
        "layers": list(laziest(ratios, int(LAZY * len(ratios)))),
        "table": [[list(line) for line in layer] for layer in table],
    }


RULES = ("head-table", "lazy-layers")


def policies(found: Mapping[str, Any], gate: int) -> dict[str, Sparsity | None]:
    """Both rules with what was found."""
    return {
        "head-table": Sparsity.of({"rule": "head-table", "table": found["table"], "gate": gate}),
        "lazy-layers": Sparsity.of({"rule": "lazy-layers", "layers": found["layers"], "gate": gate}),
    }
