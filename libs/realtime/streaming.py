"""Clients behind what lets no WebSocket through: a body of HTTP that goes on, and commands in requests of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import Receive, Send
from typing_extensions import override

from libs.messaging import Overloaded
from libs.realtime.asgi import FAREWELL, AsgiConnection
from libs.realtime.codes import TOO_MANY_COMMANDS, Disconnect
from libs.realtime.connection import ReturnPath
from libs.realtime.line import Format
from libs.realtime.session import Session

_MOST_HELD = 16  # requests that wait for a session which has enough to do
_LONGEST_HOLD = 3.0  # s; less than a process waits that brings a request to another


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
        longest_hold: float = _LONGEST_HOLD,
    ) -> None:
        super().__init__(line_format, max_pending=max_pending, abort=abort, farewell=farewell)
        self.return_path = return_path
        self._held = 0
        self._longest_hold = longest_hold

    async def take(self, frame: bytes) -> None:
        """Give the session a frame that came by another way, once it does not have enough to do.

        Raises `Overloaded` where that takes too long, or too many wait, and closes the session: centrifuge-js does not
        look at the answer, so it would never learn that commands were lost.
        """
        if not (self._may_read.is_set() or await self._will_read()):
            if self._session is not None:
                self._session.end(TOO_MANY_COMMANDS)
            raise Overloaded("too many commands wait already")
        if self._session is not None:
            self._session.receive(frame)

    async def _will_read(self) -> bool:
        """Whether the session takes commands again before it is too late."""
        if self._held >= _MOST_HELD:
            return False
        self._held += 1
        try:
            async with asyncio.timeout(self._longest_hold):
                while not self._may_read.is_set():
                    await self._may_read.wait()
        except TimeoutError:
            return False
        finally:
            self._held -= 1
        return True

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
