"""Waiting for a condition that only the event loop's own callbacks change."""

import asyncio
from collections.abc import Callable


class Gate:
    """Wakes those who wait for a condition whenever something has changed.

    Unlike `asyncio.Condition` it is told of changes from plain callbacks, and costs nothing while nobody waits.
    """

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def changed(self) -> None:
        """Let the waiters look again."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def until(self, condition: Callable[[], bool], timeout: float | None) -> None:
        """Wait until `condition` holds. Raises TimeoutError after `timeout` seconds (None: never)."""
        if condition():
            return
        async with asyncio.timeout(timeout):
            while not condition():
                waiter = asyncio.get_running_loop().create_future()
                self._waiters.add(waiter)
                try:
                    await waiter
                finally:
                    self._waiters.discard(waiter)
