"""`python -m ragctx.attention.gpu_check`: every Triton kernel against the oracle on the GPU at hand, errors and times.

Ends with 0 where all is within the limits, 1 where something is not, and `NOTHING_RUN` where there is no GPU or no
Triton: then nothing was checked, which is said and is no success.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from ragctx.attention.cases import CASES, LIMITS, Compared, compared
from ragctx.attention.extents import Extent
from ragctx.attention.index import BlockIndex
from ragctx.attention.kernels import triton as kernels

if TYPE_CHECKING:
    import torch

NOTHING_RUN = 77
"""Exit code where there was nothing to run on; test runners know it as "skipped"."""

_SINKS, _LOCAL = 2, 8
_HEADS, _KV_HEADS = 32, 8


@dataclass(frozen=True, slots=True)
class Timed:
    """A call that was timed.

    Attributes:
        name: what it was. density: share of tile pairs. ours, dense: milliseconds, dense being torch's attention.
    """

    name: str
    density: float
    ours: float
    dense: float

    @property
    def ratio(self) -> float:
        """How many times faster than dense."""
        return self.dense / self.ours


def main(arguments: Sequence[str] | None = None) -> int:
    """Check and tell; the exit code.

    Example:
        >>> main(["--help"])
        Traceback (most recent call last):
            ...
        SystemExit: 0
    """
    parser = argparse.ArgumentParser(prog="python -m ragctx.attention.gpu_check", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--no-times", action="store_true", help="errors only")
    parser.add_argument("--tokens", type=int, nargs="+", default=[8_192, 32_768], help="prompt lengths that are timed")
    asked = parser.parse_args(arguments)
    why = absent()
    if why:
        _tell(f"nothing was checked: {why}", {"checked": False, "why": why}, asked.json)
        return NOTHING_RUN
    import torch

    _tell(*_machine(torch.cuda.get_device_name()), asked.json)
    wrong = 0
    for result in checked("cuda"):
        wrong += not result.right
        _tell(_line(result), {**asdict(result), "right": result.right}, asked.json)
    if not asked.no_times:
        for timed in times(asked.tokens):
            _tell(_timed_line(timed), {**asdict(timed), "ratio": timed.ratio}, asked.json)
    _tell(f"{wrong} of {len(CASES)} cases are wrong", {"wrong": wrong, "cases": len(CASES)}, asked.json)
    return 1 if wrong else 0


def absent() -> str:
    """Why there is nothing to run on; empty where there is."""
    try:
        import torch
    except ImportError:
        return "torch is not installed: pip install 'ragctx[local,gpu]'"
    why = kernels.ready(torch.device("cuda"))
    return why or ("" if torch.cuda.is_available() else "torch sees no GPU in this machine")


def checked(device: str, runs: int = 2) -> Iterator[Compared]:
    """Every case on a device, as they end."""
    return (compared(case, device, runs) for case in CASES)


def times(lengths: Sequence[int], device: str = "cuda", width: int = 128) -> Iterator[Timed]:
    """Prefill of whole prompts and decoding steps of eight requests, against torch's attention of the same tensors."""
    import torch

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, width, dtype=torch.bfloat16, device=device)

    for tokens in lengths:
        query, key, value = drawn(tokens, _HEADS), drawn(tokens, _KV_HEADS), drawn(tokens, _KV_HEADS)
        dense = _milliseconds(_torch_attention(query[None], key[None], value[None], causal=True))
        for density in (1.0, 0.25, 0.12, 0.05):
            yield _timed(f"prefill of {tokens}", query, [key], [value], [Extent(tokens, tokens)], density, dense)
        requests, extents = 8, [Extent(1, tokens)] * 8
        query = drawn(requests, _HEADS)
        keys, values = drawn(requests, tokens, _KV_HEADS), drawn(requests, tokens, _KV_HEADS)
        dense = _milliseconds(_torch_attention(query[:, None], keys, values, causal=False))
        for density in (1.0, 0.12):
            yield _timed(f"decoding at {tokens}", query, list(keys), list(values), extents, density, dense)


def _timed(
    name: str, query: torch.Tensor, keys: Sequence[torch.Tensor], values: Sequence[torch.Tensor],
    extents: Sequence[Extent], density: float, dense: float,
) -> Timed:  # fmt: skip
    index, held = _index(extents, density), kernels.Rows(keys, values)
    return Timed(name, index.density, _milliseconds(lambda: kernels.attend(query, held, index)), dense)


def _index(extents: Sequence[Extent], density: float) -> BlockIndex:
    """Sinks, a window, and as many random tiles as make the density about what is asked."""
    chance, masks = np.random.default_rng(0), []
    for extent in extents:
        own, tiles = extent.base + np.arange(extent.tiles)[:, None], np.arange(extent.base + extent.tiles)
        kept = chance.random((_KV_HEADS, extent.tiles, len(tiles))) < density
        masks.append(kept | (density < 1) & ((tiles < _SINKS) | (tiles > own - _LOCAL)))
    return BlockIndex.masked(extents, _KV_HEADS, masks)


def _torch_attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, causal: bool
) -> Callable[[], torch.Tensor]:
    """Torch's attention of [requests, tokens, heads, width]."""
    import torch

    parts = [part.transpose(1, 2) for part in (query, key, value)]
    return lambda: torch.nn.functional.scaled_dot_product_attention(*parts, is_causal=causal, enable_gqa=True)


def _milliseconds(call: Callable[[], object]) -> float:
    from triton.testing import do_bench

    return float(do_bench(call, return_mode="median"))


def _machine(name: str) -> tuple[str, dict[str, str]]:
    import torch
    import triton

    facts = {"device": name, "torch": torch.__version__, "triton": triton.__version__}
    return f"{name}, torch {facts['torch']}, triton {facts['triton']}", facts


def _line(result: Compared) -> str:
    case, verdict = result.case, "right" if result.right else "WRONG"
    races = "" if result.alike else ", two runs differ"
    where = case.layout if case.layout == "rows" else f"{case.layout} of {case.page}"
    return (
        f"{verdict}  {case.name} ({case.dtype}, {case.heads}/{case.kv_heads} heads of {case.width}, {where}): "
        f"error {result.output:.1e} of {LIMITS[case.dtype]:.0e}, log-sum-exp {result.lse:.1e}{races}"
    )


def _timed_line(timed: Timed) -> str:
    return (
        f"{timed.name}, density {timed.density:.2f}: {timed.ours:.3f} ms, dense {timed.dense:.3f} ms, "
        f"{timed.ratio:.2f}x, index and launch included, selection not"
    )


def _tell(text: str, facts: Mapping[str, object], as_json: bool) -> None:
    sys.stdout.write((json.dumps(facts) if as_json else text) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
