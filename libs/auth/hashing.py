"""The hash pool: as many password hashes at once as there are cores, and a bounded wait for a turn."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from libs.messaging import Deadline, Overloaded

_TURN = 0.000_5  # s
_BUSY = "too many passwords are being checked"

ResultT = TypeVar("ResultT")


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class HashPool:
    """Threads of its own for work that fills a core; the work must release the GIL.

    What waits lies in the threads' own queue: a thread that has finished takes the next at once, however busy the event
    loop is.
    """

    def __init__(self, *, threads: int, max_wait: float) -> None:
        self.threads = threads or cores()
        self._max_wait = max_wait
        self._executor = ThreadPoolExecutor(self.threads, thread_name_prefix="hash")
        # A thread that comes back from a hash waits for the GIL as long as the event loop may keep it; 5 ms by default,
        # a quarter of a hash. The setting is the whole process's.
        sys.setswitchinterval(min(sys.getswitchinterval(), _TURN))

    async def run(self, work: Callable[[], ResultT], deadline: Deadline | None = None) -> ResultT:
        """What ``work()`` gives; raises `Overloaded`, before any work, when no thread comes free in time.

        A thread cannot be stopped: when the caller is cancelled, its place stays taken until the work has ended.
        """
        wait = self._max_wait if deadline is None else min(self._max_wait, deadline.remaining)
        if wait <= 0:
            raise Overloaded(_BUSY)
        running = self._executor.submit(work)
        giving_up = asyncio.get_running_loop().call_later(wait, running.cancel)  # nothing, once it runs
        try:
            return await asyncio.wrap_future(running)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if running.cancelled() and task is not None and not task.cancelling():
                raise Overloaded(_BUSY) from None
            raise
        finally:
            giving_up.cancel()

    async def close(self) -> None:
        """Wait for what runs, which is a matter of milliseconds."""
        await asyncio.to_thread(self._executor.shutdown, wait=True, cancel_futures=True)
