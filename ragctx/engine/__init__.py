"""Drives works against models: batching, order, retries, replies, budgets, ledgers, cancellation.

`Engine` is the door. Below it, from the caller to the model: site, flow, driver, slots, exchange, calls, lanes.
"""

from ragctx.engine.accounting import accounted
from ragctx.engine.engine import Engine
from ragctx.engine.job import Delta, Event, Job, Outcome, Progress
from ragctx.engine.keys import reply_key
from ragctx.engine.overrun import overrun
from ragctx.engine.retries import Backoff
from ragctx.engine.sqlite_store import SqliteStore
from ragctx.engine.store import BillingStore, GroupStore, Kept, MemoryStore, ReplyStore, StoreInfo

__all__ = [
    "Backoff",
    "BillingStore",
    "Delta",
    "Engine",
    "Event",
    "GroupStore",
    "Job",
    "Kept",
    "MemoryStore",
    "Outcome",
    "Progress",
    "ReplyStore",
    "SqliteStore",
    "StoreInfo",
    "accounted",
    "overrun",
    "reply_key",
]
