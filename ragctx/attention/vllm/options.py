"""What an engine is told of our attention: one entry of vLLM's `additional_config`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from ragctx.errors import ConfigError, UnknownName

if TYPE_CHECKING:
    from ragctx.attention.positions import DualChunk
    from ragctx.attention.selection.policy import Sparsity

ENTRY = "ragctx"
_DENSE = ("stock", "own")


@dataclass(frozen=True, slots=True)
class Options:
    """How an engine attends.

    Attributes:
        sparse: the policy; None attends densely throughout.
        dense: whose kernel attends densely: "stock" is vLLM's, "own" is ours where it can.
        threads: of our kernel on a CPU; 0 takes as many as torch does.
        report: a JSON file that the counts are written to while the engine runs; none where empty.
        dual: positions beyond the training length by dual chunk attention; None leaves them as they are.
        clock: take the CPU time of selection and kernels, as the counts tell it; a little time of its own.
        measure: compute one query of every so many tiles of 64 densely too, and count the share of attention that the
            policy kept; 0 measures nothing, 16 costs one query in 1,024.

    Example:
        >>> Options.of({"sparse": "off", "dense": "own"})
        Options(sparse=None, dense='own', threads=0, report='', dual=None, clock=False, measure=0)
    """

    sparse: Sparsity | None = None
    dense: str = "stock"
    threads: int = 0
    report: str = ""
    dual: DualChunk | None = None
    clock: bool = False
    measure: int = 0

    def __post_init__(self) -> None:
        if self.dense not in _DENSE:
            raise ConfigError(f"dense attention is {' or '.join(_DENSE)}, not {self.dense!r}")
        if not whole(self.threads):
            raise ConfigError(f"{self.threads!r} threads: give a number from 1, or 0 for as many as torch has")
        if not isinstance(self.clock, bool) or not isinstance(self.report, str):
            raise ConfigError(f"clock={self.clock!r}, report={self.report!r}: give true or false, and a file's path")
        if not whole(self.measure):
            raise ConfigError(f"measure={self.measure!r}: give a number of tiles from 1, or 0 to measure nothing")

    @classmethod
    def of(cls, given: object) -> Options:
        """The options of an entry: a mapping of them, or the policy alone.

        A mapping tells `dual` as a mapping too: {"chunk": 6144, "local": 1024}.

        Raises:
            ConfigError: an option that is none, or a policy or positions that are none.
        """
        told: dict[str, Any] = dict(given) if isinstance(given, Mapping) else {"sparse": given}
        known = [field.name for field in fields(cls)]
        if strange := sorted(set(told) - set(known)):
            raise UnknownName("attention option", strange[0], known)
        return cls(**told | {"sparse": _policy(told.get("sparse", "off")), "dual": _dual(told.get("dual"))})

    @property
    def plain(self) -> bool:
        """Whether vLLM attends by itself throughout."""
        return self.sparse is None and self.dual is None and self.dense == "stock"

    @property
    def fingerprint(self) -> str:
        """A text that is equal for two engines exactly when they attend alike."""
        positions = f":{self.dual.fingerprint}" if self.dual else ""
        return f"{self.sparse.fingerprint if self.sparse else 'dense'}:{self.dense}{positions}"


def whole(value: object, least: int = 0) -> bool:
    """Whether an option is a whole number, and large enough."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _policy(given: Any) -> Sparsity | None:  # noqa: ANN401 - checked there
    if given == "off":
        return None
    from ragctx.attention.selection.policy import Sparsity

    return Sparsity.of(given)


def _dual(given: Any) -> DualChunk | None:  # noqa: ANN401
    from ragctx.attention.positions import DualChunk

    if given is None or isinstance(given, DualChunk):
        return given
    try:
        return DualChunk(**given)
    except TypeError as wrong:
        raise ConfigError(f"dual={given!r}: give chunk, local and trained, in tokens") from wrong


def configured(additional: object) -> Options | None:
    """The options in a `VllmConfig.additional_config`; None where it has no entry of ours."""
    given = additional.get(ENTRY) if isinstance(additional, Mapping) else None
    return None if given is None else Options.of(given)
