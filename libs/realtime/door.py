"""The WebSocket door: who may open a connection, and which encoding it speaks."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from libs.app import HANDSHAKE, ProblemResponse
from libs.messaging import AppError, Client
from libs.realtime.asgi import AsgiSocket
from libs.realtime.commands import HANDLERS
from libs.realtime.errors import OriginRefused, TooManyConnections
from libs.realtime.formats import JSON_MESSAGES, JSON_SOCKET, PROTOBUF_MESSAGES, PROTOBUF_SOCKET
from libs.realtime.node import Node
from libs.realtime.origins import Headers, Origins
from libs.realtime.session import Session
from libs.realtime.transport import EXTENSION, Socket

_JSON, _PROTOBUF = "centrifuge-json", "centrifuge-protobuf"
_DENIAL = "websocket.http.response"
"""Under this name a server offers, in the scope's extensions, to answer the handshake as plain HTTP."""


class WebSocketDoor:
    """The ASGI endpoint of `/connection/websocket`."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._origins = Origins(node.settings.allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection: for as long as the handshake takes on uvicorn, for its whole life elsewhere."""
        await receive()  # websocket.connect
        headers = dict(scope["headers"])
        if (refused := self._refusal(headers)) is not None:
            await _deny(refused, scope, receive, send)
            return
        client = Client((scope.get("client") or ("",))[0], headers.get(b"user-agent", b"").decode("latin-1"))
        subprotocol = next((one for one in (_PROTOBUF, _JSON) if one in scope["subprotocols"]), None)
        binary = subprotocol == _PROTOBUF or (subprotocol is None and _asks_for_protobuf(scope))
        token = scope.get(HANDSHAKE, "")
        accept = {"type": "websocket.accept", "subprotocol": subprotocol}
        bounds = {
            "max_message": self._node.settings.max_message,
            "max_pending": self._node.settings.max_pending,
        }
        hand_over = scope.get("extensions", {}).get(EXTENSION)
        if hand_over is not None:
            socket = Socket(PROTOBUF_SOCKET if binary else JSON_SOCKET, **bounds)
            session = Session(self._node, socket, client, HANDLERS)
            session.handshake_token = token
            if await hand_over(accept, socket, session):
                self._node.open(session)
            return
        messages = PROTOBUF_MESSAGES if binary else JSON_MESSAGES
        connection = AsgiSocket(messages, text=not binary, **bounds)
        session = Session(self._node, connection, client, HANDLERS)
        session.handshake_token = token
        await send(accept)
        self._node.open(session)
        await connection.serve(session, receive, send)

    def _refusal(self, headers: Headers) -> AppError | None:
        if not self._origins.welcome(headers):
            return OriginRefused()
        return TooManyConnections() if self._node.registry.full else None


async def _deny(error: AppError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the handshake with a problem; with a bare 403 on a server that can do no more."""
    if _DENIAL in scope.get("extensions", {}):
        await ProblemResponse(error)(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": 1008, "reason": error.title})


def _asks_for_protobuf(scope: Scope) -> bool:
    """Whether the query does, for clients that cannot name a subprotocol."""
    asked = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    return "protobuf" in {*asked.get("cf_protocol", ()), *asked.get("format", ())}
