"""One timer for the pings of all connections: a wheel that turns once per ping interval."""

from __future__ import annotations

import asyncio
import random
from typing import Protocol

_TICK = 0.25  # s


class Beating(Protocol):
    """Somebody who is pinged."""

    spoke: int
    """The wheel's; where it sits on the wheel."""

    def beat(self) -> None:
        """Ping the client."""

    def expect_pong(self) -> None:
        """The time to answer the ping is over."""


class Wheel:
    """Pings each member every ``interval`` seconds and asks for the answer ``timeout`` seconds later.

    A late tick delays the ones behind it: a client is never given less time because the loop was busy.
    """

    def __init__(self, interval: float, timeout: float) -> None:
        self._spokes: list[dict[Beating, None]] = [{} for _ in range(max(2, round(interval / _TICK)))]
        self._patience = min(len(self._spokes) - 1, max(1, round(timeout / _TICK)))
        self._now = 0

    def add(self, member: Beating) -> None:
        """Ping from now on, first at a random moment in the second half of an interval."""
        count = len(self._spokes)
        # Spread, or all who came back together after a restart would be pinged together for ever.
        member.spoke = (self._now + random.randint(count // 2, count - 1)) % count  # ruff: ignore[suspicious-non-cryptographic-random-usage]
        self._spokes[member.spoke][member] = None

    def discard(self, member: Beating) -> None:
        """Ping no more; harmless when it was not pinged."""
        self._spokes[member.spoke].pop(member, None)

    def tick(self) -> None:
        """Turn by one spoke."""
        self._now = (self._now + 1) % len(self._spokes)
        for member in list(self._spokes[self._now - self._patience]):
            member.expect_pong()
        for member in list(self._spokes[self._now]):
            member.beat()

    async def turn(self) -> None:
        """Turn until cancelled."""
        while True:
            await asyncio.sleep(_TICK)
            self.tick()
