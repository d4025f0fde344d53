"""The command line: one module a command, exit codes from the error tree, JSON with `--json`.

Exit codes: 0 done (an answer "the documents do not say" is an answer) · 1 unexpected, or the doctor found a fault ·
2 wrong setting or name · 3 unreadable document or question · 4 does not fit or budget spent, also a job stopped by its
ceiling · 5 the model failed · 6 a store cannot be used · 7 a job ended with failed rows · 130 interrupted.

What was asked for goes to standard output; progress, questions and errors go to standard error.
"""

from __future__ import annotations

import os
import sys
import warnings

UNEXPECTED = 1
OVER_LIMIT = 4
FAILED_ROWS = 7
INTERRUPTED = 130


def main() -> None:
    """Entry point of `ragctx`."""
    from ragctx.cli.app import run

    # A terminal or a pipe that cannot show a character of a document must not end the command.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # libraries warn their programmers, not the people who ask questions
    os.environ.setdefault("TQDM_DISABLE", "1")  # libraries draw bars of their own, across ours
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if code == INTERRUPTED:
        sys.stderr.flush()
        os._exit(code)  # a model's thread cannot be stopped, and nobody should wait for an answer that was called off
    sys.exit(code)
