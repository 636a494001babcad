"""The clients of a load: WebSocket connections that answer pings, and note what came and when."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from functools import partial
from typing import cast

from typing_extensions import override

_UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_PUSH = b'{"push"'
_PING = b"\x81\x02{}"  # of the client protocol: an empty command
_PONG = b"\x81\x82\x00\x00\x00\x00{}"  # masked, with a mask of zeros
_AT_ONCE = 64  # handshakes under way
_HANDSHAKES = 120.0  # s


class Board:
    """What all clients of a load have in common: who is there, what came, and when enough has come."""

    def __init__(self, port: int, path: str, channels: list[str]) -> None:
        self.clients: list[Subscriber] = []
        self.pongs = 0
        self.closed = 0
        self._port = port
        self._path = path
        self._channels = channels
        self._awaited = 0
        self._complete = asyncio.Event()

    async def connect(self, count: int, tokens: list[str]) -> None:
        """Open connections until there are ``count``, each with the next token, in turn, where there are any."""
        gate = asyncio.Semaphore(_AT_ONCE)
        loop = asyncio.get_running_loop()

        async def one(number: int) -> None:
            hello = _hello(tokens[number % len(tokens)], self._channels) if tokens else b""
            async with gate:
                make = partial(Subscriber, self, hello, replies=1 + len(self._channels) if hello else 0)
                _, client = await loop.create_connection(make, "127.0.0.1", self._port)
                client.transport.write(_UPGRADE.format(path=self._path).encode())
                await client.subscribed
            self.clients.append(client)

        async with asyncio.timeout(_HANDSHAKES):
            await asyncio.gather(*map(one, range(len(self.clients), count)))

    def expect(self, events: int) -> None:
        """Forget what came so far, and wait for so many events at each client."""
        for client in self.clients:
            client.arrivals.clear()
        self._awaited = events * len(self.clients)
        self._complete.clear()

    def came(self, events: int) -> None:
        """So many more came at one client."""
        self._awaited -= events
        if self._awaited <= 0:
            self._complete.set()

    def stall(self) -> None:
        """Read nothing more, at any client."""
        for client in self.clients:
            client.transport.pause_reading()

    async def ended(self, within: float) -> None:
        """Read on, and wait until the server has closed every connection, at most ``within`` seconds."""
        for client in self.clients:
            client.transport.resume_reading()
        await asyncio.wait([client.lost for client in self.clients], timeout=within)

    def forget(self) -> None:
        """Close every connection, and begin anew without any."""
        for client in self.clients:
            client.transport.abort()
        self.clients.clear()

    async def complete(self, within: float) -> None:
        """Wait until every client has what it was to get, at most ``within`` seconds."""
        with suppress(TimeoutError):  # what is missing is counted afterwards
            async with asyncio.timeout(within):
                await self._complete.wait()


class Subscriber(asyncio.Protocol):
    """One connection: upgrade, connect and subscribe, and then whatever comes."""

    __slots__ = ("_board", "_hello", "_replies", "_tail", "arrivals", "lost", "subscribed", "transport")

    def __init__(self, board: Board, hello: bytes, *, replies: int) -> None:
        self.arrivals: list[tuple[float, bytes]] = []
        """When bytes came (on the clock of `time.perf_counter`), and which."""
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._board = board
        self._hello = hello
        self._replies = replies
        self._tail = b""
        self.transport: asyncio.Transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        if not self.subscribed.done():
            self._greet(data)
            return
        self.arrivals.append((time.perf_counter(), data))
        found = (self._tail + data).count(_PUSH)
        self._tail = data[1 - len(_PUSH) :]
        if found:
            self._board.came(found)
        if _PING in data:
            self.transport.write(_PONG)
            self._board.pongs += 1

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._board.closed += 1
        self.lost.set_result(None)
        if not self.subscribed.done():
            self.subscribed.set_exception(exc or ConnectionError("the server has closed a connection"))

    def _greet(self, data: bytes) -> None:
        if self._hello:
            if not data.endswith(b"\r\n\r\n"):
                return
            hello, self._hello = self._hello, b""
            self.transport.write(hello)
            return
        self._tail += data
        if b'"error"' in data:
            self.subscribed.set_exception(ConnectionError(f"refused: {data!r}"))
        elif self._replies:
            if self._tail.count(b'{"id":') == self._replies:
                self._subscribed()
        elif self._tail.endswith(b"\r\n\r\n"):
            self._subscribed()

    def _subscribed(self) -> None:
        self._tail = b""
        self.subscribed.set_result(None)


def _hello(token: str, channels: list[str]) -> bytes:
    """The first frame of a client of the protocol: connect and subscribe together."""
    commands: list[dict[str, object]] = [{"connect": {"token": token}, "id": 1}]
    commands += [
        {"subscribe": {"channel": one}, "id": number} for number, one in enumerate(channels, start=2)
    ]
    payload = "\n".join(map(json.dumps, commands)).encode()
    assert 125 < len(payload) < 1 << 16, "a token and a channel are longer than a short frame"
    return b"\x81\xfe%b\x00\x00\x00\x00%b" % (len(payload).to_bytes(2, "big"), payload)
