"""The socket under a connection: a thin asyncio protocol that moves bytes and watches for silence."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, cast

from typing_extensions import override

from libs.amqp.connection_protocol import ConnectionProtocol, Owner
from libs.amqp.endpoint import Endpoint
from libs.amqp.errors import Blocked, ConnectionClosed, ConnectionFailed, ConnectionLost, ProtocolError
from libs.amqp.frames import HEARTBEAT_FRAME
from libs.amqp.outgoing import Outgoing

logger = logging.getLogger(__name__)

_PAUSE_AT: Final = 1 << 20
"""Bytes in the send buffer at which `Channel.ready` begins to wait."""

_FULL_AT: Final = 64 << 20
"""Bytes in the send buffer at which publications are refused."""

_SILENT_TICKS: Final = 3
"""Half heartbeats without a byte from the broker after which the line counts as dead."""


class Wire(asyncio.Protocol, Owner):
    """One TCP or TLS connection and the protocol state on it."""

    def __init__(self, endpoint: Endpoint, name: str, heartbeat: int, read_pause: float) -> None:
        self._read_pause = read_pause
        self.loop = asyncio.get_running_loop()
        self.endpoint = endpoint
        self.opened: asyncio.Future[None] = self.loop.create_future()
        self.ended = asyncio.Event()
        self.blocked: str | None = None
        self.paused = False
        self.on_change: Callable[[], None] = _nothing
        self.protocol = ConnectionProtocol(
            self, endpoint, name, heartbeat, Outgoing(self._schedule, self.flush)
        )
        self._transport: asyncio.Transport | None = None
        self._heard = False
        self._wrote = False
        self._silent = 0
        self._ticker: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_PAUSE_AT)
        self.protocol.begin()

    @override
    def data_received(self, data: bytes) -> None:
        """Let the protocol read; end the line where the broker has ended it or speaks nonsense."""
        self._heard = True
        try:
            self.protocol.receive(data)
        except ProtocolError as error:
            logger.exception("the broker at %s broke the protocol", self.endpoint)
            self.protocol.close(error.code, str(error)[:255])
            self.protocol.closed(ConnectionLost(f"the broker broke the protocol: {error}"))
        if self.protocol.error is not None:
            self.flush()
            self._finish()
        elif self._read_pause and self.protocol.is_open and self._transport is not None:
            self._transport.pause_reading()
            self.loop.call_later(self._read_pause, self._read_on)

    def _read_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        self._transport = None
        reason = f": {exc}" if exc is not None else ""
        self.protocol.closed(ConnectionLost(f"the connection to {self.endpoint} was lost{reason}"))

    @override
    def pause_writing(self) -> None:
        """The send buffer is filling."""
        self.paused = True

    @override
    def resume_writing(self) -> None:
        """The send buffer has room again."""
        self.paused = False
        self._look()

    @override
    def on_open(self) -> None:
        """Start to watch for silence."""
        if not self.opened.done():
            self.opened.set_result(None)
            self._tick()

    @override
    def on_blocked(self, reason: str | None) -> None:
        """Hold publications back, or let them go again."""
        self.blocked = reason
        self._look()

    @override
    def on_closed(self, error: ConnectionLost) -> None:
        """Wake whoever waits for this line."""
        if self._ticker is not None:
            self._ticker.cancel()
        if not self.opened.done():
            self.opened.set_exception(ConnectionFailed(str(error)))
            self.opened.exception()  # whoever dials may have stopped waiting
        self.ended.set()

    def flush(self) -> None:
        """Write everything that was collected, in one piece."""
        data = self.protocol.outgoing.take()
        if self._transport is None or not data:
            return
        self._wrote = True
        self._transport.write(data)
        if self.paused and self._transport.get_write_buffer_size() > _FULL_AT:
            self._look()

    async def close(self, timeout: float) -> None:
        """Say goodbye and wait for the answer, `timeout` seconds at most."""
        self.protocol.close()
        try:
            async with asyncio.timeout(timeout):
                await self.ended.wait()
        except TimeoutError:
            logger.warning("%s did not answer the close in time", self.endpoint)
        finally:
            self.abort(ConnectionClosed("the connection is closed"))

    def abort(self, error: ConnectionLost) -> None:
        """Drop the line without a word."""
        self.protocol.closed(error)
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def _finish(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def _schedule(self) -> None:
        self.loop.call_soon(self.flush)

    def _look(self) -> None:
        """Decide anew whether anything stands in the way of publications."""
        outgoing = self.protocol.outgoing
        if self.protocol.error is None:
            if self.blocked is not None:
                outgoing.obstacle = lambda: Blocked(f"the broker takes no publications: {self.blocked}")
            elif self._transport is not None and self._transport.get_write_buffer_size() > _FULL_AT:
                outgoing.obstacle = lambda: Blocked("the send buffer is full")
            else:
                outgoing.obstacle = None
        self.on_change()

    def _tick(self) -> None:
        """Every half heartbeat: speak if we were silent, give up if the broker was.

        Silence is counted in turns of this timer, so that a loop which stood still for long does not take its
        own absence for the broker's.
        """
        if not self.protocol.heartbeat:
            return
        self._silent = 0 if self._heard else self._silent + 1
        if self._silent >= _SILENT_TICKS:
            self.abort(ConnectionLost(f"{self.endpoint} was silent for {self.protocol.heartbeat * 1.5:g} s"))
            return
        if not self._wrote:
            self.protocol.outgoing.write(HEARTBEAT_FRAME)
        self._heard = self._wrote = False
        self._ticker = self.loop.call_later(self.protocol.heartbeat / 2, self._tick)


def _nothing() -> None:
    pass
