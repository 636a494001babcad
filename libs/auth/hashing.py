"""The hash pool: as many password hashes at once as there are cores, and a bounded wait for a turn."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from libs.messaging import Deadline, Overloaded

ResultT = TypeVar("ResultT")


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class HashPool:
    """Threads of its own for work that fills a core; the work must release the GIL."""

    def __init__(self, *, threads: int, max_wait: float) -> None:
        self.threads = threads or cores()
        self._max_wait = max_wait
        self._free = asyncio.Semaphore(self.threads)
        self._executor = ThreadPoolExecutor(self.threads, thread_name_prefix="hash")

    async def run(self, work: Callable[[], ResultT], deadline: Deadline | None = None) -> ResultT:
        """What ``work()`` gives; raises `Overloaded`, before any work, when no thread comes free in time.

        A thread cannot be stopped: when the caller is cancelled, its place stays taken until the work has ended.
        """
        wait = self._max_wait if deadline is None else min(self._max_wait, deadline.remaining)
        try:
            async with asyncio.timeout(wait):
                await self._free.acquire()
        except TimeoutError:
            raise Overloaded("too many passwords are being checked") from None
        running: Future[ResultT] = self._executor.submit(work)
        loop = asyncio.get_running_loop()
        running.add_done_callback(lambda _: self._release(loop))
        return await asyncio.wrap_future(running)

    def _release(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give the place back from the thread; a loop that has ended needs it no more."""
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._free.release)

    async def close(self) -> None:
        """Wait for what runs, which is a matter of milliseconds."""
        await asyncio.to_thread(self._executor.shutdown, wait=True, cancel_futures=True)
