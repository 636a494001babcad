"""A small HTTP/1.1 client for loads: keep-alive connections with one request under way each, paced or without a pause."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, cast

from typing_extensions import override

from benchmarks.load import figures

NextRequest: TypeAlias = Callable[[bytes], bytes]
"""The next request of a connection, given the body of its latest response (empty before the first)."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LAST_RESPONSES = 30.0  # s; how long the requests under way at the end may take


@dataclass
class Tally:
    """What is asked of every connection, and what came back."""

    end: float
    """When to send nothing more, on the clock of `time.perf_counter`."""
    interval: float = 0.0
    """Seconds from one request of a connection to its next; a response that comes later than that is followed at once."""
    status: bytes = b"200"
    """The status that every response must have."""
    latencies: list[float] = field(default_factory=list)
    unexpected: int = 0


class _Conversation(asyncio.Protocol):
    """One connection: a request, its response, the next request."""

    def __init__(self, tally: Tally, next_request: NextRequest, due: float) -> None:
        self._loop = asyncio.get_running_loop()
        self.finished: asyncio.Future[None] = self._loop.create_future()
        self._tally = tally
        self._next_request = next_request
        self._due = due
        self._received = b""
        self._sent = 0.0
        self._transport: asyncio.Transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._plan(self._next_request(b""))

    @override
    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, rest = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not blank or len(rest) < (int(length[1]) if length else 0):
            return
        now = time.perf_counter()
        self._received = b""
        self._tally.latencies.append(now - self._sent)
        self._tally.unexpected += head[9:12] != self._tally.status
        self._due += self._tally.interval
        self._plan(self._next_request(rest))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if not self.finished.done():
            self.finished.set_exception(
                exc or ConnectionError("the server has closed a connection under load")
            )

    def _plan(self, request: bytes) -> None:
        """Send at the planned time, at once where there is none or it is past, or not at all after the end."""
        now = time.perf_counter()
        start = max(self._due, now)
        if start >= self._tally.end:
            self.finished.set_result(None)
            self._transport.close()
        elif start > now:
            self._loop.call_later(start - now, self._send, request)
        else:
            self._send(request)

    def _send(self, request: bytes) -> None:
        self._sent = time.perf_counter()
        self._transport.write(request)


async def keep_asking(
    port: int, next_requests: list[NextRequest], *, seconds: float, rate: float = 0.0
) -> dict[str, Any]:
    """Ask the server at `port` for `seconds`, over one connection per entry of `next_requests`.

    `rate` is in requests per second over all connections, evenly spread; 0 means: each as fast as it is answered.
    """
    loop = asyncio.get_running_loop()
    cpu, begin = time.process_time(), time.perf_counter()
    connections = len(next_requests)
    tally = Tally(begin + seconds, interval=connections / rate if rate else 0.0)
    finished = []
    async with asyncio.timeout(seconds + _LAST_RESPONSES):
        for number, next_request in enumerate(next_requests):
            due = begin + tally.interval * number / connections
            make = partial(_Conversation, tally, next_request, due)
            _, conversation = await loop.create_connection(make, "127.0.0.1", port)
            finished.append(conversation.finished)
        await asyncio.gather(*finished)
    elapsed, cpu = time.perf_counter() - begin, time.process_time() - cpu
    return {"unexpected": tally.unexpected, **figures(tally.latencies, elapsed, cpu)}
