"""Which key tiles each query tile sees: rules, one a file, and the policy that puts one to use.

A rule is shown a request's queries and keys and marks tiles. The policy (`policy.Sparsity`) decides where a rule may
decide at all, adds what is always seen, and makes the index that kernels take.
"""

from ragctx.attention.selection.antidiagonal import Antidiagonal
from ragctx.attention.selection.centroids import Centroids
from ragctx.attention.selection.head_table import HeadTable
from ragctx.attention.selection.hierarchical import Hierarchical
from ragctx.attention.selection.lazy_layers import LazyLayers
from ragctx.attention.selection.pooled import Pooled
from ragctx.attention.selection.quest import Quest
from ragctx.attention.selection.rule import Rule
from ragctx.attention.selection.streaming import Streaming
from ragctx.attention.selection.top_p import TopP
from ragctx.attention.selection.vertical_slash import VerticalSlash
from ragctx.attention.selection.vote import Vote

RULES: dict[str, type[Rule]] = {
    rule.name: rule
    for rule in (
        Antidiagonal,
        Centroids,
        HeadTable,
        Hierarchical,
        LazyLayers,
        Pooled,
        Quest,
        Streaming,
        TopP,
        VerticalSlash,
        Vote,
    )
}
"""Rules by name."""

__all__ = ["RULES"]
