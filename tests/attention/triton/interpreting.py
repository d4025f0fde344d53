"""Run calls in Triton's interpreter and tell what came of them, one JSON object a line.

In a process of its own: whether Triton interprets or compiles is decided when it is imported, and the patches of
`honest` are for nobody else. Called with "cases" or "mutants" and numbers of those, or "patches", "far" or "times".
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

os.environ["TRITON_INTERPRET"] = "1"
sys.path.insert(0, str(Path(__file__).parent))

import honest


def cases(numbers):
    """Cases of `ragctx.attention.cases`, under both patches."""
    from ragctx.attention.cases import CASES, compared

    honest.bf16()
    with honest.Sanitizer():
        for number in numbers:
            begun = time.process_time()
            result = compared(CASES[number], "cpu", runs=1)
            tell(
                case=result.case.name, dtype=result.case.dtype, output=result.output, lse=result.lse,
                right=result.right, seconds=round(time.process_time() - begun, 2),
            )  # fmt: skip


def mutants(numbers):
    """Mutants of `mutants`, each on its case: whether the errors show it, or else the sanitizer."""
    import torch
    from mutants import MUTANTS, outcome

    honest.bf16()
    torch.use_deterministic_algorithms(True)  # fills what is not written with NaN, not with an earlier right answer
    for number in numbers:
        tell(name=MUTANTS[number].name, expected=MUTANTS[number].caught, **outcome(MUTANTS[number]))


def patches(numbers):
    """What the patched interpreter makes of kernels whose result is known."""
    import patched

    honest.bf16()
    for name, result in patched.results():
        tell(name=name, result=result)


def far(numbers):
    """Pages whose place in the cache takes more than 31 bits, by the kernels as they are and with the bug."""
    import distant

    honest.bf16()
    for name, result in distant.results():
        tell(name=name, result=result)


def times(numbers):
    """What `gpu_check` times, run once each: that it runs, and over what."""
    from ragctx.attention import gpu_check

    def once(call):
        call()
        return 1.0

    honest.bf16()
    gpu_check._milliseconds = once
    gpu_check._HEADS, gpu_check._KV_HEADS, gpu_check._SINKS, gpu_check._LOCAL = 4, 2, 1, 1
    for timed in gpu_check.times([192], "cpu", width=16):
        tell(name=timed.name, density=timed.density, ratio=timed.ratio)


def tell(**facts):
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    {each.__name__: each for each in (cases, mutants, patches, far, times)}[sys.argv[1]](map(int, sys.argv[2:]))
