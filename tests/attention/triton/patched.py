"""Small kernels whose result is known, to show what the patches of `honest` make of bfloat16 and of addresses."""

from __future__ import annotations

import honest
import numpy as np
import torch
import triton
import triton.language as tl
from triton.runtime.errors import InterpreterError


@triton.jit
def product(left, right, output):
    lanes = tl.arange(0, 16)
    square = lanes[:, None] * 16 + lanes[None, :]
    tl.store(output + square, tl.dot(tl.load(left + square), tl.load(right + square)))


@triton.jit
def copied(source, output, count, size: tl.constexpr):
    lanes = tl.program_id(0) * size + tl.arange(0, size)
    tl.store(
        output + lanes, tl.load(source + lanes, mask=lanes < count).to(output.dtype.element_ty), mask=lanes < count
    )


@triton.jit
def doubled(source, output):
    lanes = tl.arange(0, 16)
    tl.store(output + lanes, tl.load(source + lanes) + tl.load(source + lanes))


@triton.jit
def summed(source, output):
    lanes = tl.arange(0, 16)
    tl.store(output, tl.sum(tl.load(source + lanes), 0))


@triton.jit
def beyond(source, output):
    lanes = tl.arange(0, 16)
    tl.store(output + lanes, tl.load(source + lanes + 1))


@triton.jit
def together(source, output):
    tl.store(output + tl.program_id(0) * 0, tl.load(source))


@triton.jit
def handed_on(source, output):
    number = tl.program_id(0)
    tl.store(output + number, tl.load(source) + tl.load(output + number - 1, mask=number > 0, other=0.0))


def results():
    """Name -> what came of it: a difference from the truth, or what was raised."""
    made = torch.Generator().manual_seed(0)
    left, right = (torch.randn(16, 16, generator=made).bfloat16() for _ in range(2))
    output = torch.empty(16, 16)
    product[(1,)](left, right, output)
    yield "dot", float((output - left.float() @ right.float()).abs().max())
    edges = torch.tensor([1 + 2**-8, 1 + 3 * 2**-8, -1 - 2**-8, 3.4e38, 1e-40, float("inf"), float("-inf"), 0.0])
    numbers = torch.cat([edges, torch.randn(1016, generator=made)])
    rounded = torch.empty(1024, dtype=torch.bfloat16)
    copied[(4,)](numbers, rounded, 1024, size=256)
    yield "narrowed", int((rounded.view(torch.int16) != numbers.bfloat16().view(torch.int16)).sum())
    widened = torch.empty(1024)
    copied[(4,)](rounded, widened, 1024, size=256)
    yield "widened", int((widened.numpy() != rounded.float().numpy()).sum())
    yield "NaN", bool(np.isnan(honest.wide(honest.narrow(np.array([np.nan], np.float32))))[0])
    yield "sum of two", raised(doubled, (1,), left, rounded)
    yield "reduction", raised(summed, (1,), left, rounded)
    with honest.Sanitizer():
        yield "in bounds", raised(copied, (4,), numbers, rounded, 1024, 256)
        yield "out of bounds", raised(beyond, (1,), numbers[:16], output)
        yield "store beyond", raised(copied, (4,), numbers, rounded[:1000], 1024, 256)
        yield "one address", raised(together, (2,), numbers, output)
        yield "read of another's", raised(handed_on, (2,), numbers, output)


def raised(kernel, grid, *arguments):
    """What a launch raises, in words; nothing where it ends."""
    try:
        kernel[grid](*arguments)
    except InterpreterError as error:
        return repr(error)
    return ""
