"""The reader of `tests/agents/conftest.py`, for the contract suites too."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_FILE = Path(__file__).parents[1] / "agents" / "conftest.py"
_SPEC = importlib.util.spec_from_file_location("replying_reader", _FILE)
assert _SPEC is not None
assert _SPEC.loader is not None
_MODULE = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = _MODULE  # dataclasses look their module up
_SPEC.loader.exec_module(_MODULE)

replying = _MODULE.replying
sensible = _MODULE.sensible
