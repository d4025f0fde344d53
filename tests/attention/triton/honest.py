"""What Triton's interpreter gets wrong or does not see, put right for the tests.

`bf16`: the interpreter keeps bfloat16 as raw 16-bit patterns. It multiplies those in a dot product, adds and compares
them as integers, and cuts where a GPU rounds. With this patch dot products are of the numbers, casts round to nearest
even, and any other arithmetic on bfloat16 is an error instead of garbage.

`Sanitizer`: the interpreter reads any address and runs one program after the other. With this patch every active lane
of a load or store has to lie in a tensor that the launch was given, and no two programs may store to one address, nor
one read what another has stored.
"""

from __future__ import annotations

import numpy as np
import triton.language as tl
from triton.runtime import interpreter

REFUSED = (
    "fadd", "fmul", "fdiv", "frem", "fsub", "fneg", "precise_divf", "approx_divf", "minimumf", "minnumf", "maximumf",
    "maxnumf", "fma", "clampf", "exp", "exp2", "log", "log2", "sqrt", "rsqrt", "sin", "cos", "floor", "ceil", "erf",
    *(f"fcmp{order}{how}" for order in "OU" for how in ("LT", "GT", "LE", "GE", "EQ", "NE")),
)  # fmt: skip


def wide(bits):
    """Numbers of bfloat16 patterns."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def narrow(numbers):
    """Patterns of numbers, rounded to nearest even; NaN stays NaN."""
    bits = np.ascontiguousarray(numbers, np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.where(np.isnan(numbers), 0x7FC0, rounded).astype(np.uint16)


def is_bf16(handle):
    return isinstance(handle, interpreter.TensorHandle) and handle.get_element_ty() == tl.bfloat16


def bf16():
    """Put bfloat16 right in this process."""
    builder = interpreter.InterpreterBuilder
    cast, convert, dot = builder.cast_impl, builder.create_fp_to_fp, builder.create_dot

    def casting(self, source, to):
        if source.dtype.scalar == tl.bfloat16 and to.scalar != tl.bfloat16:
            return cast(self, interpreter.TensorHandle(wide(source.data), tl.float32), to)
        if to.scalar == tl.bfloat16 and source.dtype.scalar != tl.bfloat16:
            return interpreter.TensorHandle(narrow(source.data.astype(np.float32)), tl.bfloat16)
        return cast(self, source, to)

    def converting(self, source, to, rounding):
        if tl.bfloat16 in (source.dtype.scalar, to.scalar):
            return casting(self, source, to)
        return convert(self, source, to, rounding)

    def multiplying(self, left, right, added, precision, most):
        parts = [
            interpreter.TensorHandle(wide(part.data), tl.float32) if is_bf16(part) else part for part in (left, right)
        ]
        return dot(self, *parts, added, precision, most)

    builder.cast_impl, builder.create_fp_to_fp, builder.create_dot = casting, converting, multiplying
    for name in REFUSED:
        setattr(builder, f"create_{name}", refusing(name, getattr(builder, f"create_{name}")))
    interpreter.ReduceScanOpInterface.check_tensor = checking(interpreter.ReduceScanOpInterface.check_tensor)


def refusing(name, real):
    def refuse(self, *handles):
        if any(is_bf16(handle) for handle in handles):
            raise TypeError(f"{name} on bfloat16: the interpreter would take bit patterns for numbers")
        return real(self, *handles)

    return refuse


def checking(real):
    def check(self, tensors):
        real(self, tensors)
        if any(tensor.dtype == tl.bfloat16 for tensor in tensors):
            raise TypeError("a reduction of bfloat16: the interpreter would take bit patterns for numbers")

    return check


class Sanitizer:
    """Watches loads and stores of every launch while it is entered."""

    def __init__(self):
        self.spans, self.stored = [], {}

    def __enter__(self):
        builder = interpreter.InterpreterBuilder
        self.real = (builder.create_masked_load, builder.create_masked_store, interpreter.GridExecutor._init_args_hst)
        load, store, start = self.real

        def loading(own, pointers, mask, other, policy, volatile):
            addresses = self.inside("load", pointers, mask)
            for address in addresses if self.stored else ():
                self.alone("read", int(address), own.grid_idx)
            return load(own, pointers, mask, other, policy, volatile)

        def storing(own, pointers, value, mask, policy):
            addresses = self.inside("store", pointers, mask)
            if len(np.unique(addresses)) != len(addresses):
                raise RuntimeError("two lanes of a program store to one address")
            for address in addresses:
                self.alone("stored to", int(address), own.grid_idx)
                self.stored[int(address)] = own.grid_idx
            return store(own, pointers, value, mask, policy)

        def starting(executor, given, named):
            moved, moved_named = start(executor, given, named)
            tensors = [each for each in (*moved, *moved_named.values()) if hasattr(each, "data_ptr")]
            self.spans, self.stored = [span(tensor) for tensor in tensors], {}
            return moved, moved_named

        builder.create_masked_load, builder.create_masked_store = loading, storing
        interpreter.GridExecutor._init_args_hst = starting
        return self

    def __exit__(self, *raised):
        builder = interpreter.InterpreterBuilder
        builder.create_masked_load, builder.create_masked_store, interpreter.GridExecutor._init_args_hst = self.real

    def inside(self, what, pointers, mask):
        """The addresses of the active lanes, every one in a tensor."""
        addresses, active = np.broadcast_arrays(pointers.data, mask.data)
        addresses = addresses[active.astype(bool)].ravel()
        size = max(1, pointers.get_element_ty().primitive_bitwidth // 8)
        found = np.zeros(addresses.shape, bool)
        for begin, end in self.spans:
            found |= (addresses >= begin) & (addresses + size <= end)
        if not found.all():
            raise IndexError(f"a {what} of {int((~found).sum())} lanes lies in no tensor of the launch")
        return addresses

    def alone(self, what, address, program):
        if self.stored.get(address, program) != program:
            raise RuntimeError(f"program {program} {what} what program {self.stored[address]} has stored: a race")


def span(tensor):
    """From the first to the last byte that a tensor's elements take."""
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return tensor.data_ptr(), tensor.data_ptr() + (last + 1) * tensor.element_size() * (tensor.numel() > 0)
