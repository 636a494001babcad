"""The edge of a service: what every HTTP request passes, whatever route it is for.

One layer of plain ASGI does what would be five: it names the request, finds the client's address behind trusted proxies,
bounds the body, adds the headers of security and CORS, renders what nobody caught, and writes access log and metrics.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_network
from typing import Annotated, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.app.access_log import Access
from libs.app.client_address import ClientAddress, Network
from libs.app.cors import CORS_HEADERS, Cors, RawHeaders
from libs.app.logging import current_request_id
from libs.app.problem import BodyTooLarge, Stopping, problem_of
from libs.app.tally import Tally
from libs.messaging import new_message_id

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,128}")
_SCOPE_KEY = "gatehouse.exchange"
HANDSHAKE = "gatehouse.handshake"
"""Under this name the scope at an open path holds the access token that came in a cookie; it may be empty."""
WRITE_ANSWER = "gatehouse.write_answer"
"""Under this name a server offers, in the scope's extensions, to write a whole answer at once."""
ABORT = "gatehouse.abort"
"""Under this name it offers to cut the line, for an answer that its client does not take."""
_CLOSED_BY_CLIENT = 499  # what access logs write, since nginx, for an answer that nobody waited for


def _words(value: object) -> object:
    """`a,b` as a list."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _networks(value: object) -> object:
    words = _words(value)
    return [ip_network(word, strict=False) for word in words] if isinstance(words, list) else words


WriteAnswer: TypeAlias = Callable[[int, RawHeaders, bytes], bool]
"""Writes status, headers and body; False where it cannot do so now, and ASGI's way must be gone."""


class EdgeSettings(BaseModel):
    """What every HTTP request must keep to, and what every answer says to browsers."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    max_body: int = Field(
        65_536, ge=0, validation_alias="MAX_BODY", description="Largest request body read (bytes)."
    )
    trusted_proxies: Annotated[tuple[Network, ...], BeforeValidator(_networks)] = Field(
        (),
        validation_alias="TRUSTED_PROXIES",
        description="Addresses or networks of proxies whose `X-Forwarded-For` is believed, separated by commas.",
    )
    cors_origins: Annotated[frozenset[str], BeforeValidator(_words)] = Field(
        frozenset(),
        validation_alias="CORS_ORIGINS",
        description="Origins of web pages that may call, separated by commas; `*` allows all, empty none.",
    )
    security_headers: bool = Field(
        default=True,
        validation_alias="SECURITY_HEADERS",
        description="Tell browsers not to guess types and not to frame answers (OWASP REST Security).",
    )
    hsts_seconds: int = Field(
        0,
        ge=0,
        validation_alias="HSTS_SECONDS",
        description="`Strict-Transport-Security` max-age (s); 0 sends none, set it where all traffic is TLS.",
    )
    access_log: bool = Field(
        default=True, validation_alias="ACCESS_LOG", description="Write one line per request."
    )


class Exchange:
    """One request and its answer, as they pass the edge."""

    __slots__ = (
        "_answer_headers",
        "_limit",
        "_read",
        "_receive",
        "_send",
        "_write",
        "client",
        "ended",
        "headers",
        "request_id",
        "status",
    )

    def __init__(
        self,
        headers: Mapping[bytes, bytes],
        client: str,
        request_id: str,
        limit: int,
        answer_headers: RawHeaders,
        receive: Receive,
        send: Send,
        write: WriteAnswer | None,
    ) -> None:
        self.headers = headers
        """The request's headers by lower-case name; of a repeated one, the last."""
        self.client = client
        """The client's address."""
        self.request_id = request_id
        self.status = 0
        """The answer's status once it has begun."""
        self.ended = False
        """Whether the answer is complete."""
        self._limit = limit
        self._read = 0
        self._answer_headers = answer_headers
        self._receive = receive
        self._send = send
        self._write = write

    async def receive(self) -> Message:
        """ASGI's receive; refuses a body as soon as it cannot fit, at best before any of it is read.

        It does so by HTTPException(413), the one kind of error that FastAPI lets pass while it reads a body.
        """
        if int(self.headers.get(b"content-length", 0)) > self._limit:
            raise self._too_large()
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self._read > self._limit:
            raise self._too_large()
        return message

    def _too_large(self) -> HTTPException:
        # The server discards what still comes of the body. A client that asked first (RFC 9110, section 10.1.1) may now
        # send it or not, and what it sends could be either: only the end of the connection is clear.
        closing = {"connection": "close"} if b"expect" in self.headers else None
        return HTTPException(BodyTooLarge.status, headers=closing)

    def leave_cors(self) -> None:
        """Say nothing of CORS: the route answers for origins of its own."""
        self._answer_headers = [one for one in self._answer_headers if one[0] not in CORS_HEADERS]

    async def answer(self, status: int, headers: RawHeaders, body: bytes) -> None:
        """Answer at once: in one write where the server offers it, else as ASGI says.

        ``headers`` must hold what the body needs, and nothing that a client could have written.
        """
        if self._write is not None and self._write(status, [*headers, *self._answer_headers], body):
            self.status = status
            self.ended = True
            return
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    def send(self, message: Message) -> Awaitable[None]:
        """ASGI's send, with the edge's headers added."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self._answer_headers]
        else:
            self.ended = not message.get("more_body", False)
        return self._send(message)


def exchange_of(scope: Scope) -> Exchange:
    """The exchange that a request belongs to."""
    found: Exchange = scope[_SCOPE_KEY]
    return found


class Edge:
    """Plain ASGI around the routes; a WebSocket only gets its client's address."""

    def __init__(self, app: ASGIApp, *, settings: EdgeSettings, tally: Tally) -> None:
        self._app = app
        self._max_body = settings.max_body
        self._address = ClientAddress(settings.trusted_proxies)
        self._cors = Cors(settings.cors_origins) if settings.cors_origins else None
        self._static_headers = _static_headers(settings)
        self._tally = tally

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one WebSocket."""
        if scope["type"] == "websocket":
            scope["client"] = (self._address.of(scope), 0)
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        exchange = scope[_SCOPE_KEY] = self._open(scope, receive, send)
        current_request_id.set(exchange.request_id)
        try:
            if self._cors is not None and (answer := self._cors.preflight(scope["method"], exchange.headers)):
                await exchange.send({"type": "http.response.start", "status": 204, "headers": answer})
                await exchange.send({"type": "http.response.body", "body": b""})
            else:
                await self._app(scope, exchange.receive, exchange.send)
        except Exception as error:
            if exchange.ended:  # answered and logged further in
                return
            if exchange.status:  # too late to say anything: the server cuts the connection
                raise
            await problem_of(error)(scope, receive, exchange.send)
        except asyncio.CancelledError:  # the server stops, and the request has outlived the bound
            if exchange.status:
                raise
            await problem_of(Stopping())(scope, receive, exchange.send)
        finally:
            self._tally.add(_access(scope, exchange, time.perf_counter() - started))
            _let_go(scope)

    def _open(self, scope: Scope, receive: Receive, send: Send) -> Exchange:
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        request_id = given.decode() if _REQUEST_ID.fullmatch(given) else new_message_id()
        answer_headers = [(b"x-request-id", request_id.encode()), *self._static_headers]
        if self._cors is not None:
            answer_headers += self._cors.answer(headers)
        address = self._address.of(scope)
        write = scope["extensions"].get(WRITE_ANSWER) if "extensions" in scope else None
        return Exchange(headers, address, request_id, self._max_body, answer_headers, receive, send, write)


def _let_go(scope: Scope) -> None:
    """Open the rings: the server holds the scope, and what the scope holds of ours holds the server.

    So an exchange is gone with its answer. Thousands that wait for a collection stop every request while it runs.
    """
    del scope[_SCOPE_KEY]
    scope.pop("extensions", None)


def _access(scope: Scope, exchange: Exchange, seconds: float) -> Access:
    return Access(
        time.time(),
        scope["method"],
        getattr(scope.get("route"), "path", ""),
        scope["path"],
        exchange.status or _CLOSED_BY_CLIENT,
        seconds,
        exchange.client,
        exchange.request_id,
    )


def _static_headers(settings: EdgeSettings) -> RawHeaders:
    headers: RawHeaders = []
    if settings.security_headers:
        headers += [
            (b"x-content-type-options", b"nosniff"),
            (b"content-security-policy", b"frame-ancestors 'none'"),
        ]
    if settings.hsts_seconds:
        headers.append(
            (b"strict-transport-security", b"max-age=%d; includeSubDomains" % settings.hsts_seconds)
        )
    return headers
