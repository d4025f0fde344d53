"""How the local reader attends where it is told to attend otherwise: which tiles it sees, how far positions reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ragctx.errors import ConfigError

if TYPE_CHECKING:
    from ragctx.attention.attending import Attending
    from ragctx.attention.positions import DualChunk
    from ragctx.attention.selection.policy import Sparsity

_KINDS = ("dual", "sharp-dual", "yarn")
_DENSE = ("auto", "torch", "own")
_HALF = "torch.bfloat16"


@dataclass(frozen=True, slots=True)
class LocalAttention:
    """The reader's options on attention, read and checked.

    Attributes:
        sparse: the policy; None sees everything.
        kind: of stretched positions, "dual", "sharp-dual" (with YaRN's temperature) or "yarn"; empty for none.
        factor: by which the window grows.
        trained: tokens the checkpoint was trained to, where positions are stretched.
        dense: whose kernel attends densely: "torch", "own" (ours where it is compiled), or "auto".
        measure: tiles of which one query is computed densely too, for the share of attention that the policy keeps; 0
            measures nothing.

    Example:
        >>> made = LocalAttention.of("off", "dual:4", trained=8192)
        >>> made.window, made.identity
        (32768, ':dual(6144,1024,0)')
    """

    sparse: Sparsity | None = None
    kind: str = ""
    factor: float = 1.0
    trained: int = 0
    dense: str = "auto"
    measure: int = 0

    def __post_init__(self) -> None:
        if self.dense not in _DENSE:
            raise ConfigError(f"dense attention is {' or '.join(_DENSE)}, not {self.dense!r}")
        if not isinstance(self.measure, int) or isinstance(self.measure, bool) or self.measure < 0:
            raise ConfigError(f"measure={self.measure!r}: give a number of tiles from 1, or 0 to measure nothing")

    @classmethod
    def of(
        cls,
        sparse: str | Mapping[str, object] | Sparsity,
        positions: str,
        trained: int | None,
        dense: str = "auto",
        measure: int = 0,
    ) -> LocalAttention:
        """The attention of options.

        Args:
            sparse: as `Sparsity.of` takes it.
            positions: `KIND:FACTOR`; empty leaves them as they are.
            trained: the checkpoint's window.
            dense: "auto", "torch" or "own".
            measure: tiles between two queries of which the kept share is measured.

        Raises:
            ConfigError: an option that is none, or a checkpoint that does not tell its window.
        """
        chosen = None
        if sparse != "off":
            from ragctx.attention.attending import policy

            chosen = policy(sparse)
        if not positions:
            return cls(chosen, dense=dense, measure=measure)
        kind, _, factor = positions.partition(":")
        if kind not in _KINDS or not factor.replace(".", "", 1).isdecimal() or float(factor) <= 1:
            raise ConfigError(f"positions {positions!r}: write dual:4, sharp-dual:4 or yarn:4, the factor above 1")
        if not trained:
            raise ConfigError("this checkpoint does not tell its window: positions cannot be stretched by a factor")
        return cls(chosen, kind, float(factor), trained, dense, measure)

    @property
    def dual(self) -> DualChunk | None:
        """The dual chunk setting, where that is the kind."""
        if not self.kind.endswith("dual"):
            return None
        from ragctx.attention.positions import DualChunk

        return DualChunk.trained_to(self.trained, sharpen=self.kind == "sharp-dual")

    @property
    def window(self) -> int | None:
        """Tokens that fit the stretched positions; None where they are not stretched."""
        return int(self.trained * self.factor) if self.kind else None

    @property
    def own(self) -> bool:
        """Whether sequences have to be computed one by one, by our attention."""
        return self.sparse is not None or self.dual is not None

    @property
    def identity(self) -> str:
        """What a reader's identity gains: answers of one attention are not those of another."""
        dual = self.dual
        positions = dual.fingerprint if dual else f"yarn({self.factor:g},{self.trained})" if self.kind else ""
        parts = (self.sparse.fingerprint if self.sparse else "", positions)
        return "".join(f":{part}" for part in parts if part)

    def prepare(self, config: Any) -> None:  # noqa: ANN401 - transformers has no types here
        """Write YaRN into a transformers configuration, where that is the kind.

        Raises:
            ConfigError: the checkpoint's positions are stretched already.
        """
        if self.kind != "yarn":
            return
        text = config.get_text_config()
        before = getattr(text, "rope_parameters", None)
        if not isinstance(before, Mapping) or before.get("rope_type", "default") != "default":
            raise ConfigError("YaRN takes a checkpoint with plain rotary positions: this one has others")
        stretched = {"rope_type": "yarn", "factor": self.factor, "original_max_position_embeddings": self.trained}
        text.rope_parameters = {**before, **stretched}
        text.max_position_embeddings = self.window

    def attending(self, model: Any) -> Attending | None:  # noqa: ANN401
        """What a loaded model attends with; None where that is plain attention.

        Raises:
            ConfigError: the model's positions cannot be stretched.
        """
        ours = self.dense == "own" or (self.dense == "auto" and str(model.dtype) == _HALF)
        if not self.own and not ours:
            return None
        from ragctx.attention.attending import Attending
        from ragctx.attention.probing import probed

        rotation = probed(model) if self.dual else None
        return Attending(self.sparse, self.dual, rotation, measure=self.measure, own=ours)


PLAIN = LocalAttention()
