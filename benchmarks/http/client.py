"""A small HTTP/1.1 client for loads: keep-alive connections with one request under way each, paced or without a pause."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable
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
    statuses: frozenset[bytes] = frozenset({b"200"})
    """What a response may have; a 503 must say when to try again."""
    latencies: dict[bytes, list[float]] = field(default_factory=dict)
    """By status."""
    unexpected: int = 0

    def add(self, head: bytes, latency: float) -> None:
        """One response."""
        status = head[9:12]
        self.latencies.setdefault(status, []).append(latency)
        told = status != b"503" or b"\r\nretry-after:" in head.lower()
        self.unexpected += status not in self.statuses or not told


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
        self._tally.add(head, now - self._sent)
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
    port: int,
    next_requests: list[NextRequest],
    *,
    seconds: float,
    rate: float = 0.0,
    statuses: Iterable[bytes] = (b"200",),
) -> dict[str, Any]:
    """Ask the server at `port` for `seconds`, over one connection per entry of `next_requests`.

    `rate` is in requests per second over all connections, evenly spread; 0 means: each as fast as it is answered.
    `statuses` are those that a response may have; where there are several, each has its figures by its name.
    """
    loop = asyncio.get_running_loop()
    cpu, begin = time.process_time(), time.perf_counter()
    connections = len(next_requests)
    tally = Tally(begin + seconds, interval=connections / rate if rate else 0.0, statuses=frozenset(statuses))
    finished = []
    async with asyncio.timeout(seconds + _LAST_RESPONSES):
        for number, next_request in enumerate(next_requests):
            due = begin + tally.interval * number / connections
            make = partial(_Conversation, tally, next_request, due)
            _, conversation = await loop.create_connection(make, "127.0.0.1", port)
            finished.append(conversation.finished)
        await asyncio.gather(*finished)
    elapsed, cpu = time.perf_counter() - begin, time.process_time() - cpu
    found = {"unexpected": tally.unexpected}
    if len(tally.statuses) > 1:
        by_status = {status.decode(): each for status, each in tally.latencies.items()}
        return {**found, **{status: figures(each, elapsed, cpu) for status, each in by_status.items()}}
    return {**found, **figures([one for each in tally.latencies.values() for one in each], elapsed, cpu)}
