"""Clients on any other ASGI server: the same sessions, over plain `receive` and `send`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from starlette.types import Receive, Send
from typing_extensions import override

from libs.realtime.codes import SLOW, Disconnect
from libs.realtime.connection import Connection
from libs.realtime.line import Format
from libs.realtime.session import Session

_FAREWELL = 5.0  # seconds that a client has to take what is due and the close


class AsgiConnection(Connection):
    """A WebSocket that the server frames; a writer sends what waits, at most ``max_pending`` bytes."""

    def __init__(self, line_format: Format, *, text: bool, max_message: int, max_pending: int) -> None:
        self.format = line_format
        self.due: list[bytes] = []
        self.write: Callable[[bytes], object] = self._put
        self._text = text
        self._max_message = max_message
        self._max_pending = max_pending
        self._pending: deque[bytes] = deque()
        self._pending_bytes = 0
        self._wake = asyncio.Event()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._farewell: Disconnect | None = None
        self._session: Session | None = None

    async def serve(self, session: Session, receive: Receive, send: Send) -> None:
        """Run the connection to its end."""
        self._session = session
        reader = asyncio.create_task(self._read(session, receive))
        writer = asyncio.create_task(self._write(send))
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
            if self._farewell is not None:
                await asyncio.wait({writer}, timeout=_FAREWELL)
        finally:
            session.lost()
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

    @override
    def pause(self) -> None:
        self._may_read.clear()

    @override
    def resume(self) -> None:
        self._may_read.set()

    def _put(self, frames: bytes) -> None:
        self._pending.append(frames)
        self._pending_bytes += len(frames)
        self._wake.set()
        if self._pending_bytes > self._max_pending and self._session is not None:
            # Not at once: the hub may be going through its subscribers just now.
            asyncio.get_running_loop().call_soon(self._session.end, SLOW)

    async def _read(self, session: Session, receive: Receive) -> None:
        while True:
            await self._may_read.wait()
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            frame = message.get("bytes") if text is None else text.encode()
            if frame is None or len(frame) > self._max_message:
                return
            session.receive(frame)

    async def _write(self, send: Send) -> None:
        # A client that has gone shows as an error of the server's own kind; the reader sees the end as well.
        with suppress(Exception):
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._pending:
                    frames = self._pending.popleft()
                    self._pending_bytes -= len(frames)
                    payload = {"text": frames.decode()} if self._text else {"bytes": frames}
                    await send({"type": "websocket.send", **payload})
                if self._farewell is not None:
                    code, reason = self._farewell.code, self._farewell.reason
                    await send({"type": "websocket.close", "code": code, "reason": reason})
                    return
