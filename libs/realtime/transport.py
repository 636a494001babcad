"""Clients on uvicorn: its protocol makes the handshake and hands the line over; from then on bytes come and go directly.

An idle connection is a `Socket`, its session and the transport: no task, no queue, no ASGI call on the stack.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import override
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from libs.realtime.codes import SHUTDOWN, SLOW, Disconnect
from libs.realtime.connection import Connection
from libs.realtime.handshake import OpeningHandshake
from libs.realtime.line import Format
from libs.realtime.websocket import CLOSE, PONG, FrameReader, close_frame

if TYPE_CHECKING:
    from libs.realtime.session import Session

EXTENSION = "gatehouse.socket"
"""Under this name the ASGI scope's extensions offer `RealtimeProtocol.hand_over`."""
_HIGH_WATER = (
    65_536  # bytes in the transport's buffer from which on frames wait in the socket, shared with all others
)
_CLOSE_TIMEOUT = 5.0  # s


class Socket(asyncio.Protocol, Connection):
    """A WebSocket connection on its transport, after the handshake."""

    __slots__ = (
        "_answered",
        "_backlog",
        "_backlog_bytes",
        "_closer",
        "_closing",
        "_connections",
        "_max_pending",
        "_reader",
        "_session",
        "_transport",
        "due",
        "format",
        "write",
    )

    def __init__(self, line_format: Format, *, max_message: int, max_pending: int) -> None:
        self.format = line_format
        self.due: list[bytes] = []
        self._reader = FrameReader(max_message)
        self._max_pending = max_pending
        self._backlog: deque[bytes] | None = None
        self._backlog_bytes = 0
        self._closing = False
        self._answered = False
        self._closer: asyncio.TimerHandle | None = None

    def serve(
        self, transport: asyncio.Transport, session: Session, connections: set[asyncio.Protocol]
    ) -> None:
        """Take the line over; ``connections`` are those whose `shutdown` the server calls when it stops."""
        self._transport = transport
        self._session = session
        self._connections = connections
        self.write: Callable[[bytes], object] = transport.write
        transport.set_write_buffer_limits(high=_HIGH_WATER)
        connections.add(self)
        transport.set_protocol(self)

    @override
    def data_received(self, data: bytes) -> None:
        if self._answered:
            return
        for opcode, payload in self._reader.feed(data):
            if opcode == CLOSE:
                self._answer_close(payload)
                return
            if self._closing:
                continue
            if opcode == PONG:
                self.write(payload)
            else:
                self._session.receive(payload)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        if self._closer is not None:
            self._closer.cancel()
        self._connections.discard(self)
        self._session.lost()

    @override
    def pause_writing(self) -> None:
        """The client reads slowly: from now on frames wait here, where they cost no copy."""
        if self._backlog is None and not self._answered:
            self._backlog = deque()
            self.write = self._hold

    @override
    def resume_writing(self) -> None:
        """The client has caught up with the transport: send what waited, in one write."""
        backlog, self._backlog, self._backlog_bytes = self._backlog, None, 0
        self.write = _drop if self._answered else self._transport.write
        if backlog:  # much of it pauses the transport again within this very write
            self._transport.write(b"".join(backlog))

    @override
    def close(self, disconnect: Disconnect) -> None:
        if self._closing:
            return
        if disconnect is SLOW and self._backlog:
            self._backlog.clear()
        self._end(close_frame(disconnect.code, disconnect.reason))
        self.resume()  # the client's own close frame ends the line

    @override
    def pause(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    @override
    def resume(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    @override
    def abort(self) -> None:
        self._transport.abort()

    def shutdown(self) -> None:
        """The server stops."""
        self._session.end(SHUTDOWN)

    def _answer_close(self, answer: bytes) -> None:
        """Say the last word, and end the line once the client has: what it still sends would cost it our answer."""
        if self._closing or not self._transport.can_write_eof():
            closing = self._transport.close
        else:
            closing = self._transport.write_eof
        if not self._closing:
            self._end(answer)
            self._session.lost()
        self._answered = True
        self.resume_writing()  # what was held back comes before the end, what is still due too late
        self.resume()
        closing()

    def _end(self, last: bytes) -> None:
        self._closing = True
        self.write(last)
        self._closer = asyncio.get_running_loop().call_later(_CLOSE_TIMEOUT, self._transport.abort)

    def _hold(self, frames: bytes) -> None:
        backlog = self._backlog
        if backlog is None:
            return
        backlog.append(frames)
        self._backlog_bytes += len(frames)
        waiting = self._backlog_bytes + self._transport.get_write_buffer_size()
        if waiting > self._max_pending and not self._closing:
            # Not at once: the hub may be going through its subscribers just now.
            asyncio.get_running_loop().call_soon(self._session.end, SLOW)


def _drop(_frames: bytes) -> None:
    """Nobody hears what comes after the last word; the transport would raise, in the middle of what others are sent."""


class _HandedOver(asyncio.Transport):
    """What is left to a protocol whose line is somebody else's."""

    @override
    def is_closing(self) -> bool:
        return True

    @override
    def close(self) -> None:
        """Nothing: the line goes on."""

    @override
    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Nothing: the line goes on."""


class RealtimeProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol, which can hand its line over once the handshake is made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # No extension is ever agreed on: compression would cost each connection its own copy of every frame.
        self.conn = OpeningHandshake(max_size=self.config.ws_max_size)
        self._early = False

    @override
    def data_received(self, data: bytes) -> None:
        self._early = self.handshake_initiated
        super().data_received(data)

    @override
    async def run_asgi(self) -> None:
        cast("dict[str, Any]", self.scope["extensions"])[EXTENSION] = self.hand_over
        await super().run_asgi()

    @override
    async def send(self, message: Any) -> None:
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            # Refused by an answer; uvicorn would log an error, as for an application that gave none.
            self.handshake_complete = True

    async def hand_over(self, accept: dict[str, Any], socket: Socket, session: Session) -> bool:
        """Accept the handshake and let ``socket`` have the line; False when the client has gone already.

        A client that sent frames before it had the answer broke RFC 6455 (section 4.1), and is gone too.
        """
        await self.send(cast("Any", accept))
        self.stop_keepalive()
        transport = self.transport
        if transport.is_closing() or self._early:
            transport.close()
            return False
        self.connections.discard(self)
        self.transport = _HandedOver()
        socket.serve(transport, session, cast("Any", self.connections))
        return True
