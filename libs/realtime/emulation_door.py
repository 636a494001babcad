"""Where clients on a stream of HTTP send their commands: `/emulation`."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from libs.app import exchange_of
from libs.realtime.connection import ReturnPath
from libs.realtime.emulation import Emulation
from libs.realtime.http_door import HttpDoor, is_protobuf, malformed
from libs.realtime.node import Node
from libs.realtime.origins import RawHeaders
from libs.realtime.protobuf_codec import emulation_request
from libs.realtime.protocol import Malformed


class EmulationDoor(HttpDoor):
    """Takes commands for a session of this process or another; what they lead to comes on the session's stream."""

    methods = ("POST",)

    def __init__(self, path: str, node: Node, emulation: Emulation) -> None:
        super().__init__(path, node)
        self._emulation = emulation

    @override
    async def answer(self, scope: Scope, receive: Receive, send: Send, cors: RawHeaders) -> None:
        exchange = exchange_of(scope)
        body = await self.body(receive)
        path, frame = _from_protobuf(body) if is_protobuf(exchange) else _from_json(body)
        await self._emulation.bring(path, frame)
        await exchange.answer(204, cors, b"")


def _from_protobuf(body: bytes) -> tuple[ReturnPath, bytes]:
    try:
        session, node, frame = emulation_request(body)
    except Malformed as error:
        raise malformed("the body is not protobuf") from error
    return ReturnPath(session, node), frame


def _from_json(body: bytes) -> tuple[ReturnPath, bytes]:
    """The commands are a string, which holds them as a stream would."""
    try:
        found: Any = from_json(body)
    except ValueError as error:
        raise malformed("the body is not JSON") from error
    fields = [found.get(name) for name in ("session", "node", "data")] if isinstance(found, dict) else []
    match fields:
        case [str(session), str(node), str(data)]:
            return ReturnPath(session, node), data.encode()
        case _:
            raise malformed("session, node and data must be strings")
