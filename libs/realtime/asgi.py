"""Clients whose bytes the ASGI server moves: the same sessions, over plain `receive` and `send`."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from starlette.types import Receive, Send
from typing_extensions import override

from libs.realtime.codes import SLOW, TOO_LARGE, Disconnect
from libs.realtime.connection import Connection
from libs.realtime.line import Format
from libs.realtime.session import Session

FAREWELL = 5.0
"""Seconds that a client has to take what is due and the close."""
_CUT = 1.0  # seconds that a server has to notice that a line was cut


class AsgiConnection(Connection):
    """A line that the server writes; a writer sends what waits, at most ``max_pending`` bytes.

    ``abort`` cuts the line of a client that does not take even the close within ``farewell`` seconds.
    """

    def __init__(
        self,
        line_format: Format,
        *,
        max_pending: int,
        abort: Callable[[], object] | None = None,
        farewell: float = FAREWELL,
    ) -> None:
        self.format = line_format
        self.due: list[bytes] = []
        self.write: Callable[[bytes], object] = self._put
        self._max_pending = max_pending
        self._abort = abort
        self._patience = farewell
        self._pending: deque[bytes] = deque()
        self._pending_bytes = 0
        self._wake = asyncio.Event()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._farewell: Disconnect | None = None
        self._overdue: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._session: Session | None = None

    async def serve(self, session: Session, receive: Receive, send: Send) -> None:
        """Run the connection to its end."""
        self._session = session
        reader = asyncio.create_task(self._read(session, receive))
        writer = asyncio.create_task(self._write(send))
        try:
            await asyncio.wait((reader, writer, self._overdue), return_when=asyncio.FIRST_COMPLETED)
            if self._abort is not None and not (reader.done() or writer.done()):
                self._abort()
                await asyncio.wait((reader,), timeout=_CUT)
        finally:
            session.lost()
            self._overdue.cancel()
            reader.cancel()
            writer.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)

    @override
    def close(self, disconnect: Disconnect) -> None:
        if self._farewell is None:
            if disconnect is SLOW:
                self._pending.clear()
            self._farewell = disconnect
            self._wake.set()
            asyncio.get_running_loop().call_later(self._patience, _settle, self._overdue)

    @override
    def abort(self) -> None:
        _settle(self._overdue)

    @override
    def pause(self) -> None:
        self._may_read.clear()

    @override
    def resume(self) -> None:
        self._may_read.set()

    @abstractmethod
    async def _read(self, session: Session, receive: Receive) -> None:
        """Pass on what the client sends, until it is gone."""

    @abstractmethod
    async def _send(self, frames: bytes, send: Send) -> None:
        """Send what is due."""

    @abstractmethod
    async def _take_leave(self, disconnect: Disconnect, send: Send) -> None:
        """Send the code, and end the line."""

    def _put(self, frames: bytes) -> None:
        self._pending.append(frames)
        self._pending_bytes += len(frames)
        self._wake.set()
        if self._pending_bytes > self._max_pending and self._session is not None:
            # Not at once: the hub may be going through its subscribers just now.
            asyncio.get_running_loop().call_soon(self._session.end, SLOW)

    async def _write(self, send: Send) -> None:
        # A client that has gone shows as an error of the server's own kind; the reader sees the end as well.
        with suppress(Exception):
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._pending:
                    frames = self._pending.popleft()
                    self._pending_bytes -= len(frames)
                    await self._send(frames, send)
                if self._farewell is not None:
                    await self._take_leave(self._farewell, send)
                    return


class AsgiSocket(AsgiConnection):
    """A WebSocket that the server frames."""

    def __init__(self, line_format: Format, *, text: bool, max_message: int, max_pending: int) -> None:
        super().__init__(line_format, max_pending=max_pending)
        self._text = text
        self._max_message = max_message

    @override
    async def _read(self, session: Session, receive: Receive) -> None:
        while True:
            await self._may_read.wait()
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            frame = message.get("bytes") if text is None else text.encode()
            if frame is None or len(frame) > self._max_message:
                session.end(TOO_LARGE)
            else:
                session.receive(frame)

    @override
    async def _send(self, frames: bytes, send: Send) -> None:
        payload = {"text": frames.decode()} if self._text else {"bytes": frames}
        await send({"type": "websocket.send", **payload})

    @override
    async def _take_leave(self, disconnect: Disconnect, send: Send) -> None:
        await send({"type": "websocket.close", "code": disconnect.code, "reason": disconnect.reason})


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
