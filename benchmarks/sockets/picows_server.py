"""picows, a WebSocket server in Cython with a port of its own: `send` on each of its transports."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from picows import WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server
from typing_extensions import override

from benchmarks.sockets.peer import Fanout

_TRANSPORTS: dict[Any, None] = {}


class _Listener(WSListener):
    @override
    def on_ws_connected(self, transport: WSTransport) -> None:
        _TRANSPORTS[transport] = None

    @override
    def on_ws_disconnected(self, transport: WSTransport) -> None:
        _TRANSPORTS.pop(transport, None)


def _listener(_: WSUpgradeRequest) -> WSListener:
    return _Listener()


class _Clients(Fanout):
    @override
    async def send(self, message: bytes) -> None:
        for transport in _TRANSPORTS:
            transport.send(WSMsgType.TEXT, message)


@asynccontextmanager
async def listening() -> AsyncGenerator[tuple[int, Fanout]]:
    """Serve on a free port."""
    server = await ws_create_server(_listener, "127.0.0.1", 0, backlog=1024)
    try:
        yield server.sockets[0].getsockname()[1], _Clients()
    finally:
        server.close()
        for transport in list(_TRANSPORTS):
            transport.disconnect()
        await server.wait_closed()
