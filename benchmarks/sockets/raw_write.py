"""The floor: a frame that is ready, written to the transports of uvicorn's own WebSocket protocol, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from typing_extensions import override
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from benchmarks.sockets.peer import Fanout
from benchmarks.sockets.uvicorn_server import on_uvicorn

_TRANSPORTS: dict[asyncio.Transport, None] = {}


class _Known(WebSocketsSansIOProtocol):
    @override
    async def run_asgi(self) -> None:
        _TRANSPORTS[self.transport] = None
        await super().run_asgi()
        _TRANSPORTS.pop(self.transport, None)


async def _app(_: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await receive()


class _Clients(Fanout):
    @override
    async def send(self, message: bytes) -> None:
        frame = b"\x81\x7e%b%b" % (len(message).to_bytes(2, "big"), message)
        for transport in _TRANSPORTS:
            transport.write(frame)


@asynccontextmanager
async def listening() -> AsyncGenerator[tuple[int, Fanout]]:
    """Serve on a free port."""
    async with on_uvicorn(_app, _Known) as port:
        yield port, _Clients()
