"""Which messages of the log were read, by their ids, and where they stood."""

from __future__ import annotations

import asyncio
from collections import OrderedDict


class Seen:
    """The latest message ids with their offsets, ``remembered`` of them.

    By them a publication that was sent again is known, and who appended one learns where it lies.
    """

    def __init__(self, remembered: int) -> None:
        self._remembered = remembered
        self._offsets: OrderedDict[str, int] = OrderedDict()
        self._waiting: dict[str, list[asyncio.Future[int]]] = {}

    def add(self, message_id: str, offset: int) -> bool:
        """Whether this message is new; one without an id always is."""
        if not message_id:
            return True
        first = self._offsets.setdefault(message_id, offset)
        for future in self._waiting.pop(message_id, ()):
            future.set_result(first)
        if len(self._offsets) > self._remembered:
            self._offsets.popitem(last=False)
        return first == offset

    async def offset(self, message_id: str, timeout: float) -> int:
        """Where the message stood first; 0 when it was not read within ``timeout`` seconds."""
        if message_id in self._offsets:
            return self._offsets[message_id]
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(message_id, [])
        waiting.append(future)
        try:
            await asyncio.wait([future], timeout=timeout)
        finally:
            if not future.done():
                waiting.remove(future)
            if not waiting:
                self._waiting.pop(message_id, None)
        return future.result() if future.done() else 0

    def clear(self) -> None:
        """Forget everything: another log begins."""
        self._offsets.clear()
