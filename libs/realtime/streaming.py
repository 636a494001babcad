"""Clients behind what lets no WebSocket through: a body of HTTP that goes on, and commands in requests of their own."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import Receive, Send
from typing_extensions import override

from libs.messaging import Overloaded
from libs.realtime.asgi import FAREWELL, AsgiConnection
from libs.realtime.codes import Disconnect
from libs.realtime.connection import ReturnPath
from libs.realtime.line import Format
from libs.realtime.session import Session


class StreamConnection(AsgiConnection):
    """The body of one answer, which the client reads as it grows."""

    def __init__(
        self,
        line_format: Format,
        return_path: ReturnPath,
        *,
        max_pending: int,
        abort: Callable[[], object] | None,
        farewell: float = FAREWELL,
    ) -> None:
        super().__init__(line_format, max_pending=max_pending, abort=abort, farewell=farewell)
        self.return_path = return_path

    def take(self, frame: bytes) -> None:
        """Give the session a frame that came by another way; raises `Overloaded` where it has enough to do."""
        if not self._may_read.is_set():
            raise Overloaded("too many commands wait already")
        if self._session is not None:
            self._session.receive(frame)

    @override
    async def _read(self, session: Session, receive: Receive) -> None:
        message = await receive()
        while message["type"] != "http.disconnect":
            message = await receive()

    @override
    async def _send(self, frames: bytes, send: Send) -> None:
        await send({"type": "http.response.body", "body": frames, "more_body": True})

    @override
    async def _take_leave(self, disconnect: Disconnect, send: Send) -> None:
        """The code as a push, since a body has no code to end with."""
        last = self.format.frames([self.format.codec.push("", disconnect)])
        await send({"type": "http.response.body", "body": last, "more_body": False})
