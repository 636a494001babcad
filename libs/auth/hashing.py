"""The hash pool: as many password hashes at once as there are cores, and a bounded wait for a turn."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from libs.messaging import Deadline, Overloaded

_TURN = 0.000_5  # s
_BUSY = "too many passwords are being checked"

ResultT = TypeVar("ResultT")


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def expect_cores(chosen: AbstractSet[int]) -> None:
    """Raise ValueError where the process cannot keep threads to these cores."""
    if chosen and not hasattr(os, "sched_getaffinity"):
        raise ValueError("this system does not let a process choose its cores")
    if chosen and not chosen <= os.sched_getaffinity(0):
        raise ValueError(f"this process may use the cores {sorted(os.sched_getaffinity(0))} only")


class HashPool:
    """Threads of its own for work that fills a core; the work must release the GIL.

    What waits lies in the threads' own queue: a thread that has finished takes the next at once, however busy the event
    loop is. With cores of their ``own`` (Linux) the threads stay there, and the thread that makes the pool, the event
    loop's, keeps off them as long as there are others.
    """

    def __init__(self, *, threads: int, max_wait: float, own: AbstractSet[int] = frozenset()) -> None:
        self.threads = threads or len(own) or cores()
        self._max_wait = max_wait
        self._shared = os.sched_getaffinity(0) if own else frozenset()
        stay = partial(os.sched_setaffinity, 0, own) if own else None  # 0 is the calling thread
        self._executor = ThreadPoolExecutor(self.threads, thread_name_prefix="hash", initializer=stay)
        if others := self._shared - own:
            os.sched_setaffinity(0, others)
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
        if self._shared:
            os.sched_setaffinity(0, self._shared)
