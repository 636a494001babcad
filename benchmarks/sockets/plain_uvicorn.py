"""What an application on uvicorn does: `send` to each of its WebSockets."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from typing_extensions import override
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from benchmarks.sockets.peer import Fanout
from benchmarks.sockets.uvicorn_server import on_uvicorn

_SENDS: dict[Any, None] = {}


async def _app(_: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    _SENDS[send] = None
    await receive()
    _SENDS.pop(send, None)


class _Clients(Fanout):
    @override
    async def send(self, message: bytes) -> None:
        event = {"type": "websocket.send", "text": message.decode()}
        for send in _SENDS:
            await send(event)


@asynccontextmanager
async def listening() -> AsyncGenerator[tuple[int, Fanout]]:
    """Serve on a free port."""
    async with on_uvicorn(_app, WebSocketsSansIOProtocol) as port:
        yield port, _Clients()
