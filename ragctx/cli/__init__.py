"""The command line: one module a command, exit codes from the error tree, JSON with `--json`.

Exit codes: 0 done · 1 unexpected · 2 wrong setting or name · 3 unreadable document or question · 4 does not fit or
budget spent · 5 the model failed · 6 a store cannot be used · 7 a job ended with failed rows · 130 interrupted.
"""

from __future__ import annotations

import sys

FAILED_ROWS = 7
INTERRUPTED = 130


def main() -> None:
    """Entry point of `ragctx`."""
    from ragctx.cli.app import run

    sys.exit(run(sys.argv[1:]))
