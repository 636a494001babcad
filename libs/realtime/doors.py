"""Every way in for clients, by its path."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route, WebSocketRoute

from libs.realtime.door import WebSocketDoor
from libs.realtime.emulation import Emulation
from libs.realtime.emulation_door import EmulationDoor
from libs.realtime.node import Node
from libs.realtime.stream_doors import EventStreamDoor, HttpStreamDoor

_WEBSOCKET = "/connection/websocket"
_HTTP_STREAM = "/connection/http_stream"
_EVENT_STREAM = "/connection/sse"
_EMULATION = "/emulation"
PATHS = frozenset({_WEBSOCKET, _HTTP_STREAM, _EVENT_STREAM, _EMULATION})
"""Each judges its clients itself."""


def routes(node: Node, emulation: Emulation) -> list[BaseRoute]:
    """WebSocket, and what stands in for it where it does not get through."""
    return [
        WebSocketRoute(_WEBSOCKET, WebSocketDoor(node)),
        Route(_HTTP_STREAM, HttpStreamDoor(_HTTP_STREAM, node, emulation)),
        Route(_EVENT_STREAM, EventStreamDoor(_EVENT_STREAM, node, emulation)),
        Route(_EMULATION, EmulationDoor(_EMULATION, node, emulation)),
    ]
