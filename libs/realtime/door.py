"""The WebSocket door: who may open a connection, and which encoding it speaks."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from starlette.types import Receive, Scope, Send

from libs.messaging import Client
from libs.realtime.asgi import AsgiConnection
from libs.realtime.codes import Disconnected
from libs.realtime.commands import HANDLERS
from libs.realtime.formats import JSON_MESSAGES, JSON_SOCKET, PROTOBUF_MESSAGES, PROTOBUF_SOCKET
from libs.realtime.node import Node
from libs.realtime.session import Session
from libs.realtime.transport import EXTENSION, Socket

_JSON, _PROTOBUF = "centrifuge-json", "centrifuge-protobuf"


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
        client = Client((scope.get("client") or ("",))[0], headers.get("user-agent", ""))
        subprotocol = next((one for one in (_PROTOBUF, _JSON) if one in scope["subprotocols"]), None)
        binary = subprotocol == _PROTOBUF or (subprotocol is None and _asks_for_protobuf(scope))
        accept = {"type": "websocket.accept", "subprotocol": subprotocol}
        bounds = {
            "max_message": self._node.settings.max_message,
            "max_pending": self._node.settings.max_pending,
        }
        hand_over = scope.get("extensions", {}).get(EXTENSION)
        if hand_over is not None:
            socket = Socket(PROTOBUF_SOCKET if binary else JSON_SOCKET, **bounds)
            session = Session(self._node, socket, client, HANDLERS)
            if await hand_over(accept, socket, session):
                self._open(session)
            return
        messages = PROTOBUF_MESSAGES if binary else JSON_MESSAGES
        connection = AsgiConnection(messages, text=not binary, **bounds)
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


def _asks_for_protobuf(scope: Scope) -> bool:
    """Whether the query does, for clients that cannot name a subprotocol."""
    asked = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    return "protobuf" in {*asked.get("cf_protocol", ()), *asked.get("format", ())}
