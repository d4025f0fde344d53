"""Begin a job, or go on with it: the same call does either."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ragctx.batch.store import JobStore
from ragctx.types import Question

if TYPE_CHECKING:
    from ragctx.routing import Plan


def open_job(
    path: str | Path,
    *,
    questions: Sequence[Question],
    configuration: Mapping[str, object],
    manifest: str,
    plan: Callable[[], Plan],
) -> JobStore:
    """The job in a file that is there, if it is this very job; otherwise a new one, planned now and frozen.

    Args:
        path: of the job file.
        questions: all of the job's.
        configuration: everything else its answers depend on, as plain JSON.
        manifest: of the corpus.
        plan: called for a new job only.

    Raises:
        ConfigError: the file's job has other questions, documents or settings; says which.
        StoreCorrupt, StoreFull, StoreError: the file cannot be used.
    """
    if not Path(path).expanduser().exists():
        JobStore.create(path, plan(), configuration, questions, manifest=manifest).close()
    store = JobStore.open(path)
    try:
        store.must_match(questions, configuration, manifest)
    except BaseException:
        store.close()
        raise
    return store
