"""One timer for many deadlines: what is still there at its deadline is ended, at most 20 ms late.

A timer of its own for each request costs more than everything else that the bus does to keep its deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_RESOLUTION = 0.02  # s

WaitT = TypeVar("WaitT", bound=Hashable)


class Expiry(Generic[WaitT]):
    """Calls ``expire(wait)`` for every wait that is not discarded before its time. Made inside of a running loop."""

    def __init__(self, expire: Callable[[WaitT], object]) -> None:
        self._expire = expire
        self._loop = asyncio.get_running_loop()
        self._due: dict[WaitT, float] = {}
        self._sweeping = False

    def add(self, wait: WaitT, seconds: float) -> None:
        """Expire ``wait`` in ``seconds``."""
        self._due[wait] = self._loop.time() + seconds
        if not self._sweeping:
            self._sweeping = True
            self._loop.call_later(_RESOLUTION, self._sweep)

    def discard(self, wait: WaitT) -> None:
        """It is over in time."""
        self._due.pop(wait, None)

    def _sweep(self) -> None:
        now = self._loop.time()
        for wait in [wait for wait, at in self._due.items() if at <= now]:
            del self._due[wait]
            self._expire(wait)
        if self._due:
            self._loop.call_later(_RESOLUTION, self._sweep)
        else:
            self._sweeping = False
