"""Commands of clients whose line goes one way: each comes as a request of its own, to any process, for one session.

The process that has the session is named in the request. Another one brings the commands there by a call: each process
answers an operation that bears its name, on a queue of its own, which is gone soon after the process.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache
from typing import Protocol

from pydantic import ConfigDict
from typing_extensions import override

from libs.messaging import (
    SERVICES,
    Bus,
    Caller,
    Handlers,
    Lane,
    Operation,
    Overloaded,
    Reply,
    Request,
    Subscription,
    Unavailable,
)
from libs.realtime.connection import ReturnPath
from libs.realtime.errors import SessionNotFound

_SERVICE = "gateway"
_NODE = re.compile(r"n[0-9a-f]{16}")
_MOST_ON_THEIR_WAY = 1000  # requests for sessions of other processes
_AT_ONCE = 256  # requests from other processes; a session may hold some of them back for a moment


class Commands(Request):
    """A frame of commands for a session."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    session: str
    frame: bytes


class Taken(Reply):
    """The session has them; what it makes of them its client hears on its own line."""


class Taker(Protocol):
    """A line of this process that waits for commands."""

    async def take(self, frame: bytes) -> None:
        """Give them to the session; raises `Overloaded` where it has had enough to do for too long."""


class Emulation(Subscription):
    """Brings commands to their sessions, here and in other processes; ``timeout`` in seconds."""

    def __init__(self, bus: Bus, *, timeout: float) -> None:
        self._bus = bus
        self._timeout = timeout
        self._takers: dict[str, Taker] = {}
        self._on_their_way = 0
        self.node = f"n{secrets.token_hex(8)}"
        self.handlers = Handlers(_SERVICE, lanes={self.node: Lane(slots=_AT_ONCE)})
        self.handlers.on(_operation(self.node), self._on_commands)
        self._answering: Subscription | None = None

    async def start(self) -> None:
        """Take commands from other processes, whose queue must stand."""
        self._answering = await self._bus.serve(self.handlers)

    @override
    async def stop(self) -> None:
        answering, self._answering = self._answering, None
        if answering is not None:
            await answering.stop()

    def new_path(self) -> ReturnPath:
        """A way to a session that is about to open."""
        return ReturnPath(secrets.token_urlsafe(24), self.node)

    @contextmanager
    def leading(self, path: ReturnPath, taker: Taker) -> Generator[None]:
        """Let the path lead to ``taker`` for the length of the block."""
        self._takers[path.session] = taker
        try:
            yield
        finally:
            del self._takers[path.session]

    async def bring(self, path: ReturnPath, frame: bytes) -> None:
        """Bring commands to their session, wherever it is.

        Raises `SessionNotFound`, `Overloaded` where the session or the way to it has enough to do, or a `CallError`.
        """
        if path.node == self.node:
            await self._take(path.session, frame)
            return
        if not _NODE.fullmatch(path.node):
            raise SessionNotFound
        if self._on_their_way >= _MOST_ON_THEIR_WAY:
            raise Overloaded
        self._on_their_way += 1
        try:
            await self._call(path, frame)
        finally:
            self._on_their_way -= 1

    async def _call(self, path: ReturnPath, frame: bytes) -> None:
        commands = Commands(session=path.session, frame=frame)
        try:
            await self._bus.call(_operation(path.node), commands, timeout=self._timeout)
        except Unavailable as error:
            if not self._bus.connected:
                raise
            raise SessionNotFound from error  # there is no such process, or not any more

    async def _on_commands(self, commands: Commands, _caller: Caller) -> Taken:
        await self._take(commands.session, commands.frame)
        return Taken()

    async def _take(self, session: str, frame: bytes) -> None:
        taker = self._takers.get(session)
        if taker is None:
            raise SessionNotFound
        await taker.take(frame)


@lru_cache(maxsize=256)
def _operation(node: str) -> Operation[Commands, Taken]:
    """What the process ``node`` answers, and no other."""
    return Operation(f"{_SERVICE}.{node}.take", Commands, Taken, access=SERVICES, lane=node)
