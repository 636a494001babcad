"""How much a client may do: so much at once, and from then on so much per second."""

from __future__ import annotations

import time


class Allowance:
    """A bucket, full at first; how fast it fills (``rate`` per second, up to ``most``) is said whenever something is taken."""

    __slots__ = ("_counted_at", "_left")

    def __init__(self, most: float) -> None:
        self._left = most
        self._counted_at = time.monotonic()

    def take(self, count: int, rate: float, most: float) -> bool:
        """Whether ``count`` more are within the bounds; they are taken then."""
        now = time.monotonic()
        self._left = min(most, self._left + (now - self._counted_at) * rate)
        self._counted_at = now
        if self._left < count:
            return False
        self._left -= count
        return True
