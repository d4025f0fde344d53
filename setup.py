"""The compiled attention kernel: one optional library for each instruction set. All else is in `pyproject.toml`.

Where there is no compiler, or one that does not know an instruction set, the installation goes on without that library.
They are plain libraries behind a C interface and no Python modules, so one wheel serves every Python.
"""

import os
import sysconfig
from pathlib import PurePosixPath

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

FOLDER = PurePosixPath("ragctx/attention/kernels/cpu")
HEADERS = ("call.h", "gather.h", "lanes.h", "pack.h", "product.h", "units.h", "vectors.h")
# Contraction and speed of math alone: nothing that would let infinities or NaN be assumed away.
COMMON = ["-std=c++17", "-O3", "-g0", "-ffp-contract=fast", "-fno-math-errno", "-fvisibility=hidden", "-pthread"]
# What gcc says of its own AVX-512 headers is not true of them.
QUIET = ["-Wno-uninitialized", "-Wno-maybe-uninitialized"]
AVX512 = ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq"]
SETS = {"avx512bf16": [*AVX512, "-mavx512bf16"], "avx512": AVX512, "avx2": ["-mavx2", "-mfma"], "portable": []}


def libraries() -> list[Extension]:
    """Every instruction set on 64-bit Linux on x86; elsewhere the one that suits every machine; none without POSIX."""
    if os.name != "posix":
        return []
    names = SETS if sysconfig.get_platform() == "linux-x86_64" else ["portable"]
    return [library(name) for name in names]


def library(name: str) -> Extension:
    """The library of an instruction set; that for every machine also tells what the running one has."""
    sources = ["kernel.cpp", "features.cpp"] if name == "portable" else ["kernel.cpp"]
    return Extension(
        ".".join((*FOLDER.parts, name)),
        [str(FOLDER / source) for source in sources],
        depends=[str(FOLDER / header) for header in HEADERS],
        extra_compile_args=[*COMMON, *QUIET, *SETS[name]],
        extra_link_args=["-pthread"],
        language="c++",
        optional=True,
    )


class Build(build_ext):
    """Names libraries as `ctypes` looks for them, and compiles each in a folder of its own."""

    def get_ext_filename(self, fullname: str) -> str:
        """`attention-avx2.kernel` beside the sources of `avx2`: a name that Python never takes for a module."""
        *folders, name = fullname.split(".")
        return os.path.join(*folders, f"attention-{name}.kernel")

    def build_extension(self, ext: Extension) -> None:
        """The same source compiles to other code for each set."""
        whole = self.build_temp
        self.build_temp = os.path.join(whole, ext.name)
        try:
            super().build_extension(ext)
        finally:
            self.build_temp = whole


class Wheel(bdist_wheel):
    """A wheel for this kind of machine and every Python 3."""

    def get_tag(self) -> tuple[str, str, str]:
        """Without what speaks of the Python that built it."""
        return "py3", "none", super().get_tag()[2]


setup(ext_modules=libraries(), cmdclass={"build_ext": Build, "bdist_wheel": Wheel})
