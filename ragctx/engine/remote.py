"""The lane to a model behind an endpoint: one call at a time, many at once."""

from __future__ import annotations

import asyncio
import logging
import time

from ragctx.contracts import RemoteBackend
from ragctx.engine.activity import Activity
from ragctx.engine.lanes import Errand, crashed, fitting
from ragctx.models import ModelFacts
from ragctx.work import Reply

log = logging.getLogger(__name__)


class RemoteLane:
    """Calls a `RemoteBackend` under a semaphore of its concurrency."""

    def __init__(self, backend: RemoteBackend, activity: Activity) -> None:
        self._backend, self._activity = backend, activity
        self._slots = asyncio.Semaphore(max(1, backend.concurrency))

    @property
    def facts(self) -> ModelFacts:
        """The backend's facts."""
        return self._backend.facts

    async def serve(self, errand: Errand) -> Reply:
        """One call; cancelling it aborts the call."""
        self._activity.add(-1)
        try:
            async with self._slots:
                return await self._call(errand)
        finally:
            self._activity.add(1)

    async def _call(self, errand: Errand) -> Reply:
        errand.began = time.perf_counter()
        self._activity.out += 1
        try:
            reply = await self._backend.call(errand.request, errand.emit or _nobody_listens)
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # the last two would end the engine's loop
            log.exception("%s raised", self.facts.name)
            return crashed(error, self.facts.name)
        finally:
            self._activity.out -= 1
            errand.seconds = time.perf_counter() - errand.began
        return fitting(errand.request, reply, self.facts.name)

    async def close(self) -> None:
        """Close the backend's connections."""
        await self._backend.close()


def _nobody_listens(text: str) -> None:
    """Takes streamed text that nobody asked for."""
