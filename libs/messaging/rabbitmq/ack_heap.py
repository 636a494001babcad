"""Acks of one lane, told to the broker in heaps.

An ack by itself is a write here and a read there, which costs the broker as much as a good part of the call. A heap
waits for 2 ms or for a quarter of the lane's slots, whichever is sooner: never so long that the lane stands still.
"""

from __future__ import annotations

import asyncio

from libs.amqp import Delivery

_LONGEST_WAIT = 0.002  # s


class AckHeap:
    """Deliveries that are done and not acked yet. Made inside of a running loop."""

    def __init__(self, slots: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._most = max(1, slots // 4)
        self._done: list[Delivery] = []

    def add(self, delivery: Delivery) -> None:
        """Ack it soon."""
        self._done.append(delivery)
        if len(self._done) >= self._most:
            self.flush()
        elif len(self._done) == 1:
            self._loop.call_later(_LONGEST_WAIT, self.flush)

    def flush(self) -> None:
        """Ack what is done; contiguous deliveries go as one ack."""
        for delivery in self._done:
            delivery.ack()
        self._done.clear()
