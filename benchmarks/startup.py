"""How long `import ragctx` and `ragctx --help` take, and how many packages the core install brings."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


def seconds(command: list[str], runs: int = 7) -> float:
    """Median wall-clock of a whole process, after one run that warms the disk cache."""
    taken = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


def import_s() -> float:
    """Seconds of `import ragctx` alone: a whole process less an empty one."""
    return max(0.0, seconds([sys.executable, "-c", "import ragctx"]) - seconds([sys.executable, "-c", "pass"]))


def help_s() -> float:
    """Seconds of `ragctx --help`, the whole process."""
    return seconds([str(Path(sys.executable).with_name("ragctx")), "--help"])


def core_packages() -> list[str]:
    """Names of the packages that a plain install resolves to, ragctx itself left out."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    report = json.loads(subprocess.run([*command, str(ROOT)], check=True, capture_output=True, text=True).stdout)
    return sorted({item["metadata"]["name"].lower() for item in report["install"]} - {"ragctx"})


def measure() -> dict[str, object]:
    """All three, with the package names so that a surprise can be traced."""
    packages = core_packages()
    return {
        "import_s": round(import_s(), 3),
        "help_s": round(help_s(), 3),
        "core_packages": len(packages),
        "core_has_torch": "torch" in packages,
    }


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
