"""Compile the kernels ahead of time for GPUs that are not here and tell what the compiler made of them, as JSON.

In a process of its own: whether Triton interprets or compiles is decided when it is imported. `compiling.py sm_90
gfx942` compiles all kernels for those two.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.pop("TRITON_INTERPRET", None)
os.environ["TRITON_DUMP_PTXAS_LOG"] = "1"  # the assembler's own word on spills and on products in a row
os.environ["TRITON_ALWAYS_COMPILE"] = "1"  # a kernel found in a cache has no such log

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from ragctx.attention.kernels.triton import shapes
from ragctx.attention.kernels.triton.decode import decode
from ragctx.attention.kernels.triton.merge import merge
from ragctx.attention.kernels.triton.prefill import prefill

POINTERS = {
    "items": "*i32", "blocks": "*i32", "table": "*i32", "lse": "*fp32", "part_sums": "*fp32", "part_lse": "*fp32",
}  # fmt: skip
TENSORS = ("query", "key", "value", "output")
ALIGNED = ("_token", "_head", "_page")  # strides of every cache are multiples of 16, and Triton specialises on that
GROUP = 7
KERNELS = {
    "prefill bf16 64": (prefill, "bf16", 64, 128),
    "prefill bf16 128": (prefill, "bf16", 128, 128),
    "prefill fp32 128, rows": (prefill, "fp32", 128, 0),
    "decode bf16 64": (decode, "bf16", 64, 128),
    "decode bf16 128, page 16": (decode, "bf16", 128, 16),
    "merge 128": (merge, "bf16", 128, 0),
}
PRODUCTS = r"\bmma\.sync|wgmma\.mma_async|tcgen05\.mma|v_mfma"


def specialised(kernel, dtype, width, page, amd):
    """The constants and options of a launch, as `launch.py` would choose them."""
    bits = 32 if dtype == "fp32" else 16
    shape = (shapes.wide if kernel is prefill else shapes.narrow)(width, bits, GROUP, amd=amd)
    constants = {
        "key_dim": 1, "value_dim": 1, "group": GROUP, "width": width, "rows": shape.rows, "keys": shape.keys,
        "page": page, "lanes": 16, "precision": "tf32x3" if bits == 32 and not amd else "ieee",
    }  # fmt: skip
    options = {"num_warps": shape.warps, "num_stages": shape.stages, "enable_fp_fusion": True}
    if kernel is merge:
        options = {"num_warps": 4, "enable_fp_fusion": True}
    return {name: value for name, value in constants.items() if name in kernel.arg_names}, options


def source(kernel, dtype, constants):
    """The kernel with its types: tensors and strides aligned, dense dimensions constant."""

    def kind(name):
        if name in constants:
            return "constexpr"
        return f"*{dtype}" if name in TENSORS else POINTERS.get(name, "fp32" if name == "scale" else "i32")

    types = {name: kind(name) for name in kernel.arg_names}
    aligned = [n for n, name in enumerate(types) if types[name][0] == "*" or name.endswith(ALIGNED)]
    return ASTSource(kernel, types, constexprs=constants, attrs={(n,): [["tt.divisibility", 16]] for n in aligned})


def compiled(target, name):
    """What one kernel takes on one target."""
    kernel, dtype, width, page = KERNELS[name]
    amd = target.startswith("gfx")
    constants, options = specialised(kernel, dtype, width, page, amd)
    where = GPUTarget("hip", target, 64) if amd else GPUTarget("cuda", int(target[3:]), 32)
    made, log = logged(lambda: triton.compile(source(kernel, dtype, constants), target=where, options=options))
    facts = of_amd(made) if amd else of_nvidia(made, log)
    text = made.asm["amdgcn" if amd else "ptx"]
    return {"shared": made.metadata.shared, "products": sorted(set(re.findall(PRODUCTS, text))), **facts}


def logged(call):
    """What a call returns, and what it or its child processes wrote to standard output."""
    kept = os.dup(1)
    with tempfile.TemporaryFile("w+") as log:
        sys.stdout.flush()
        os.dup2(log.fileno(), 1)
        try:
            result = call()
            sys.stdout.flush()
        finally:
            os.dup2(kept, 1)
            os.close(kept)
        log.seek(0)
        return result, log.read()


def of_nvidia(made, log):
    """Registers and stack from the binary itself; assembling anew may give others."""
    tool = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as binary:
        binary.write(made.asm["cubin"])
        binary.flush()
        told = subprocess.run([tool, "-res-usage", binary.name], capture_output=True, text=True, check=True).stdout
    stored, loaded = re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", log).groups()
    return {
        "registers": int(re.search(r"REG:(\d+)", told)[1]),
        "stack": int(re.search(r"STACK:(\d+)", told)[1]),
        "spilled": int(stored) + int(loaded),
        "serialized": "serialized" in log,
    }


def of_amd(made):
    def number(key):
        return int(re.search(rf"\.{key}:\s+(\d+)", made.asm["amdgcn"])[1])

    stack, spilled = number("private_segment_fixed_size"), number("vgpr_spill_count")
    return {"registers": number("vgpr_count"), "stack": stack, "spilled": spilled, "serialized": False}


if __name__ == "__main__":
    for target in sys.argv[1:]:
        for name in KERNELS:
            sys.stdout.write(json.dumps({"target": target, "kernel": name, **compiled(target, name)}) + "\n")
            sys.stdout.flush()
