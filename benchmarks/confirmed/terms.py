"""The terms of the confirmed messages: what is the same for every contestant."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

MESSAGES = 100_000
WINDOW = 500  # messages sent and not yet confirmed
PREFETCH = 500  # messages delivered and not yet acked
QUEUE = "bench.confirmed"
QUEUE_TYPE = "quorum"  # as the queues of events are
_SIZE = 128  # bytes

PublishAll: TypeAlias = Callable[[], Awaitable[int]]
"""Publishes every message and returns how many the broker has confirmed."""

ConsumeAll: TypeAlias = Callable[["Ledger"], Awaitable[None]]
"""Consumes and acks until as many messages have arrived as were published."""


def body(number: int) -> bytes:
    """A message's body, which begins with its number."""
    return b"%08d" % number + b"." * (_SIZE - 8)


class Ledger:
    """How often each message has arrived."""

    def __init__(self) -> None:
        self._times = bytearray(MESSAGES)
        self._arrived = 0

    def enter(self, message: bytes) -> bool:
        """Note an arrival; True once as many have arrived as were sent."""
        self._times[int(message[:8])] += 1
        self._arrived += 1
        return self._arrived >= MESSAGES

    def summary(self) -> dict[str, Any]:
        """What arrived, what did not, and what came more than once."""
        return {
            "arrived": self._arrived,
            "missing": self._times.count(0),
            "doubled": MESSAGES - self._times.count(0) - self._times.count(1),
        }
