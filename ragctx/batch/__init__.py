"""Batch jobs: many questions in one SQLite file that survives being killed.

    with open_job("q3.sqlite", questions=..., configuration=..., manifest=..., plan=...) as store:
        for result in run_job(store, engine, make_job):
            ...

The plan is frozen before the first call and never made again. A row's answer is written last: if it is there, the row
is done.
"""

from ragctx.batch.events import Stopped, Tick
from ragctx.batch.exports import Exported, export
from ragctx.batch.opening import open_job
from ragctx.batch.results import PlannedRow, RowFailure, RowResult, Spent
from ragctx.batch.runner import run_job
from ragctx.batch.state import Status, status
from ragctx.batch.store import JobStore

__all__ = [
    "Exported",
    "JobStore",
    "PlannedRow",
    "RowFailure",
    "RowResult",
    "Spent",
    "Status",
    "Stopped",
    "Tick",
    "export",
    "open_job",
    "run_job",
    "status",
]
