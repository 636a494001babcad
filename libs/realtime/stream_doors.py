"""Where clients open a stream of HTTP: `/connection/http_stream` and `/connection/sse`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send
from typing_extensions import override

from libs.app import ABORT, HANDSHAKE, Exchange, exchange_of
from libs.messaging import Client
from libs.realtime.commands import HANDLERS
from libs.realtime.emulation import Emulation
from libs.realtime.errors import TooManyConnections
from libs.realtime.formats import EVENT_STREAM, JSON_LINES, PROTOBUF_STREAM
from libs.realtime.http_door import PROTOBUF, HttpDoor, is_protobuf, malformed
from libs.realtime.line import Format
from libs.realtime.node import Node
from libs.realtime.origins import RawHeaders
from libs.realtime.session import Session
from libs.realtime.streaming import StreamConnection

_MEDIA_TYPES: Mapping[Format, bytes] = {
    JSON_LINES: b"application/x-ndjson",
    PROTOBUF_STREAM: PROTOBUF,
    EVENT_STREAM: b"text/event-stream; charset=utf-8",
}
_AS_IT_COMES = [
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),  # nginx would keep what comes until it is worth passing on
]


class HttpStreamDoor(HttpDoor):
    """Messages in the body of an answer, JSON or protobuf; the connect command comes in the request's body."""

    methods: ClassVar[tuple[str, ...]] = ("POST",)
    opening: ClassVar[bytes] = b""
    """What the stream starts with."""

    def __init__(self, path: str, node: Node, emulation: Emulation) -> None:
        super().__init__(path, node)
        self._emulation = emulation

    @override
    async def answer(self, scope: Scope, receive: Receive, send: Send, cors: RawHeaders) -> None:
        exchange = exchange_of(scope)
        first = await self.first_frame(scope, receive)
        if self._node.registry.full:
            raise TooManyConnections
        line_format, path = self.format(exchange), self._emulation.new_path()
        connection = StreamConnection(
            line_format,
            path,
            max_pending=self._node.settings.max_pending,
            abort=scope.get("extensions", {}).get(ABORT),
        )
        session = Session(self._node, connection, _client(exchange), HANDLERS)
        session.handshake_token = scope.get(HANDSHAKE, "")
        headers = [(b"content-type", _MEDIA_TYPES[line_format]), *_AS_IT_COMES, *cors]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.opening, "more_body": True})
        with self._emulation.leading(path, connection):
            self._node.open(session)
            session.receive(first)
            await connection.serve(session, receive, send)

    def format(self, exchange: Exchange) -> Format:
        """How the client wants its messages."""
        return PROTOBUF_STREAM if is_protobuf(exchange) else JSON_LINES

    async def first_frame(self, _scope: Scope, receive: Receive) -> bytes:
        """The commands that open the connection."""
        return await self.body(receive)


class EventStreamDoor(HttpStreamDoor):
    """Server-sent events, always JSON; EventSource can only GET, so the connect command may be in the query."""

    methods = ("GET", "POST")
    opening = b"\r\n"

    @override
    def format(self, exchange: Exchange) -> Format:
        return EVENT_STREAM

    @override
    async def first_frame(self, scope: Scope, receive: Receive) -> bytes:
        if scope["method"] == "POST":
            return await self.body(receive)
        query: bytes = scope["query_string"]
        asked = parse_qs(query.decode("latin-1")).get("cf_connect")
        if not asked:
            raise malformed("the query has no cf_connect")
        return asked[0].encode()


def _client(exchange: Exchange) -> Client:
    return Client(exchange.client, exchange.headers.get(b"user-agent", b"").decode("latin-1"))
