"""How much a client may say: so many commands per second, averaged over some seconds."""

from __future__ import annotations

import time

_BURST = 10.0  # seconds of commands that may come at once


class Allowance:
    """A bucket that fills by ``rate`` per second."""

    __slots__ = ("_counted_at", "_left")

    def __init__(self, rate: int) -> None:
        self._left = rate * _BURST
        self._counted_at = time.monotonic()

    def take(self, count: int, rate: int) -> bool:
        """Whether ``count`` more commands are within the bounds."""
        now = time.monotonic()
        self._left = min(rate * _BURST, self._left + (now - self._counted_at) * rate) - count
        self._counted_at = now
        return self._left >= 0
