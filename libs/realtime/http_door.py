"""What the HTTP doors have in common: origins and CORS, methods, bounded bodies, problems."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import ClassVar

from starlette.types import Receive, Scope, Send

from libs.app import (
    BodyTooLarge,
    Exchange,
    MethodNotAllowed,
    ProblemResponse,
    RequestTimeout,
    exchange_of,
)
from libs.messaging import AppError, ValidationFailed
from libs.realtime.errors import OriginRefused
from libs.realtime.node import Node
from libs.realtime.origins import Origins, RawHeaders

PROTOBUF = b"application/octet-stream"


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class HttpDoor(ABC):
    """An endpoint of ASGI for pages of allowed origins; what it raises is answered as a problem."""

    methods: ClassVar[tuple[str, ...]]
    """Beside OPTIONS."""

    def __init__(self, path: str, node: Node) -> None:
        self.path = path
        """As metrics name it."""
        self._node = node
        self._origins = Origins(node.settings.allowed_origins)
        self._allow = ", ".join((*self.methods, "OPTIONS"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        scope["route"] = self
        exchange = exchange_of(scope)
        exchange.leave_cors()
        cors: RawHeaders = []
        try:
            if not self._origins.welcome(exchange.headers):
                raise OriginRefused
            cors = self._origins.answer(exchange.headers)
            await self._answer(scope, receive, send, cors)
        except AppError as error:
            headers = {"allow": self._allow} if isinstance(error, MethodNotAllowed) else {}
            response = ProblemResponse(error, headers)
            response.raw_headers.extend(cors)
            await response(scope, receive, send)
        except ClientGone:
            return

    @abstractmethod
    async def answer(self, scope: Scope, receive: Receive, send: Send, cors: RawHeaders) -> None:
        """Answer a request of one of the door's methods; ``cors`` are headers that the answer must have."""

    async def body(self, receive: Receive) -> bytes:
        """The request's body; raises `BodyTooLarge`, `RequestTimeout` or `ClientGone`."""
        try:
            async with asyncio.timeout(self._node.settings.connect_timeout):
                return await _read(receive, self._node.settings.max_message)
        except TimeoutError:
            raise RequestTimeout from None

    async def _answer(self, scope: Scope, receive: Receive, send: Send, cors: RawHeaders) -> None:
        if scope["method"] in self.methods:
            await self.answer(scope, receive, send, cors)
        elif scope["method"] == "OPTIONS":
            exchange = exchange_of(scope)
            preflight = self._origins.preflight(exchange.headers, self._allow)
            await exchange.answer(204, [*cors, *preflight], b"")
        else:
            raise MethodNotAllowed


async def _read(receive: Receive, most: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body += message.get("body", b"")
        if len(body) > most:
            raise BodyTooLarge
        if not message.get("more_body", False):
            return bytes(body)


def is_protobuf(exchange: Exchange) -> bool:
    """Whether the request's body is protobuf; it is JSON otherwise."""
    return exchange.headers.get(b"content-type", b"").partition(b";")[0].strip().lower() == PROTOBUF


def malformed(detail: str) -> ValidationFailed:
    """A request that cannot be read."""
    error = ValidationFailed(detail)
    error.status = 400
    return error
