"""The WebSocket door: who may open a connection, and which encoding it speaks."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.types import Receive, Scope, Send

from libs.messaging import Client
from libs.realtime.asgi import AsgiConnection
from libs.realtime.codes import Disconnected
from libs.realtime.commands import HANDLERS
from libs.realtime.formats import JSON_MESSAGES, JSON_SOCKET
from libs.realtime.node import Node
from libs.realtime.session import Session
from libs.realtime.transport import EXTENSION, Socket

_JSON = "centrifuge-json"


class WebSocketDoor:
    """The ASGI endpoint of `/connection/websocket`."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection: for as long as the handshake takes on uvicorn, for its whole life elsewhere."""
        await receive()  # websocket.connect
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if not self._is_welcome(headers):
            await send({"type": "websocket.close", "code": 1008, "reason": "origin not allowed"})
            return
        accept = {
            "type": "websocket.accept",
            "subprotocol": _JSON if _JSON in scope["subprotocols"] else None,
        }
        client = Client((scope.get("client") or ("",))[0], headers.get("user-agent", ""))
        bounds = {
            "max_message": self._node.settings.max_message,
            "max_pending": self._node.settings.max_pending,
        }
        hand_over = scope.get("extensions", {}).get(EXTENSION)
        if hand_over is not None:
            socket = Socket(JSON_SOCKET, **bounds)
            session = Session(self._node, socket, client, HANDLERS)
            if await hand_over(accept, socket, session):
                self._open(session)
            return
        connection = AsgiConnection(JSON_MESSAGES, text=True, **bounds)
        session = Session(self._node, connection, client, HANDLERS)
        await send(accept)
        self._open(session)
        await connection.serve(session, receive, send)

    def _open(self, session: Session) -> None:
        try:
            self._node.open(session)
        except Disconnected as error:
            session.end(error.disconnect)

    def _is_welcome(self, headers: dict[str, str]) -> bool:
        """Whether a page of this origin may connect; what sends no Origin is no browser (RFC 6455, section 10.2)."""
        origin = headers.get("origin")
        allowed = self._node.settings.allowed_origins
        return (
            origin is None
            or "*" in allowed
            or origin in allowed
            or urlsplit(origin).netloc == headers.get("host", "")
        )
