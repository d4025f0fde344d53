"""The kernels compiled ahead of time for five architectures: what they take of a multiprocessor is a regression number.

Numbers of Triton 3.9.0. More registers or shared memory than here, or a spill, is a change to look at: raise a number
only on purpose.
"""

from __future__ import annotations

import pytest

SHARED = {"sm_80": 166_912, "sm_90": 232_448, "sm_100": 232_448, "sm_120": 101_376, "gfx942": 65_536}
"""Bytes of shared memory that a block may have; Triton itself finds out only when a kernel is loaded."""

WIDE = {
    "sm_80": "mma.sync",
    "sm_90": "wgmma.mma_async",
    "sm_100": "tcgen05.mma",
    "sm_120": "mma.sync",
    "gfx942": "v_mfma",
}
"""The matrix instruction that a prefill in bfloat16 has to be made of."""

LIMITS = {
    # kernel: registers a thread on sm_80, sm_90, sm_100, sm_120, gfx942; then bytes of shared memory
    "prefill bf16 64": ((172, 200, 216, 182, 240), (32_772, 49_156, 49_700, 32_772, 24_576)),
    "prefill bf16 128": ((255, 244, 242, 255, 312), (65_540, 98_308, 98_852, 65_540, 40_960)),
    "prefill fp32 128, rows": ((255, 255, 255, 255, 246), (73_728, 73_728, 73_728, 73_728, 32_768)),
    "decode bf16 64": ((84, 104, 104, 100, 150), (20_484, 20_484, 20_484, 20_484, 16_384)),
    "decode bf16 128, page 16": ((112, 118, 116, 112, 212), (39_424, 39_424, 39_424, 39_424, 32_768)),
    "merge 128": ((50, 42, 36, 42, 36), (2_048, 2_048, 2_048, 2_048, 2_048)),
}
SPILLS = {("sm_120", "prefill bf16 128"): 16}
"""Bytes stored to and loaded from local memory for want of registers; nothing elsewhere."""


@pytest.mark.slow
@pytest.mark.parametrize("target", SHARED)
def test_kernels_compile_within_their_limits(told, target):
    number = list(SHARED).index(target)
    results = {facts.pop("kernel"): facts for facts in told("compiling.py", target)}
    assert results.keys() == LIMITS.keys()
    for kernel, facts in results.items():
        registers, shared = (numbers[number] for numbers in LIMITS[kernel])
        assert facts["registers"] <= registers, (kernel, facts)
        assert facts["shared"] <= min(shared, SHARED[target]), (kernel, facts)
        assert facts["spilled"] <= SPILLS.get((target, kernel), 0), (kernel, facts)
        assert not facts["serialized"], (kernel, facts)
        assert bool(facts["products"]) == (kernel != "merge 128"), (kernel, facts)
        if kernel.startswith("prefill bf16"):
            assert facts["products"] == [WIDE[target]], (kernel, facts)
