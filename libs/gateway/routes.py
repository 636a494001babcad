"""HTTP routes made from contracts: judge the caller, pass the body on, give the reply back."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import structlog
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from libs.app import (
    Exchange,
    ProblemResponse,
    exchange_of,
)
from libs.domain.auth import LOGOUT_BY_TOKEN, SessionEnded, TokenExpired, TokenInvalid
from libs.gateway.authorization import Authorization, challenge
from libs.gateway.cookies import Cookies
from libs.gateway.incoming import ClientGone, Incoming
from libs.gateway.oauth import OAuthIncoming, refusal
from libs.gateway.relief import Relief
from libs.messaging import (
    PUBLIC,
    AnyOperation,
    AppError,
    Bus,
    Caller,
    Client,
    Http,
    Identity,
    Overloaded,
    ValidationFailed,
)

_log = structlog.get_logger(__name__)
_TRACEPARENT = re.compile(
    rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"
)  # W3C Trace Context, section 3.2
_REPLACED_SECONDS = 2.0  # for which a sign-in waits until the page's earlier session has ended
_MAX_USER_AGENT = 256  # characters
_MAX_LANGUAGE = 100  # characters
NO_STORE = (b"cache-control", b"no-store")


class ContractRoute:
    """One operation at one method of a path: judge the caller, pass the body on, give the reply back as it is."""

    def __init__(
        self,
        operation: AnyOperation,
        http: Http,
        bus: Bus,
        authorization: Authorization,
        cookies: Cookies,
        relief: Relief,
    ) -> None:
        self.operation = operation
        self.http = http
        self._bus = bus
        self._relief = relief
        self._authorization = authorization
        self._incoming = OAuthIncoming(operation, http) if http.oauth else Incoming(operation, http)
        self._cookies = cookies
        self._concerns_cookies = cookies.concern(operation)
        self._accepted = TypeAdapter[Any](http.accepted) if http.accepted else None
        self._has_reply = http.status != HTTPStatus.NO_CONTENT
        self._headers = [(b"content-type", b"application/json")] if self._has_reply else []
        if http.no_store or operation.access is not PUBLIC:
            # What one caller may see; said of every answer, since a cookie is no `Authorization` to a cache (RFC 9111, section 3.5).
            self._headers.append(NO_STORE)

    @property
    def needs_body(self) -> bool:
        """Whether the request cannot be made without a body."""
        return self.http.body and self._incoming.needs_body

    async def answer(self, scope: Scope, receive: Receive, send: Send, path: Mapping[str, str]) -> None:
        """Answer one request; ``path`` holds the fields that the path carries."""
        exchange = exchange_of(scope)
        try:  # ruff: ignore[too-many-statements-in-try-clause]  # in one piece: a coroutine more costs every request
            # The token comes first: whoever has none learns nothing about what else is wrong.
            identity = await self._identity(scope["method"], exchange)
            body = await self._incoming.read(exchange, scope["query_string"], path)
            if self._concerns_cookies:
                body = self._cookies.presented(self.operation, exchange.headers, body)
            self._relief.admit()
            try:
                reply = await self._bus.forward(self.operation, body, caller_of(exchange, identity))
            except Overloaded:
                self._relief.begin()
                raise
        except AppError as error:
            answer = (
                refusal(error)
                if self.http.oauth
                else ProblemResponse(error, challenge(error, scope=self.operation.access.scope))
            )
            await answer(scope, receive, send)
        except ClientGone:
            return
        else:
            if self._concerns_cookies:
                await self._end_replaced(exchange)
            await self._reply(reply, exchange)

    async def _identity(self, method: str, exchange: Exchange) -> Identity | None:
        access = self.operation.access
        if access is PUBLIC:
            return None
        return await self._authorization.admit(access, self._cookies.authorization(method, exchange.headers))

    async def _end_replaced(self, exchange: Exchange) -> None:
        """End the session whose cookies this answer overwrites; the sign-in is good whether or not that succeeds."""
        token = self._cookies.replaced(self.operation, exchange.headers)
        if token is None:
            return
        body = to_json({"refresh_token": token.decode("latin-1")})
        try:
            async with asyncio.timeout(_REPLACED_SECONDS):
                await self._bus.forward(LOGOUT_BY_TOKEN, body, caller_of(exchange, None))
        except ValidationFailed:
            pass  # it was no refresh token
        except (AppError, TimeoutError) as error:
            _log.warning("replaced_session_not_ended", reason=repr(error))

    def _reply(self, reply: bytes, exchange: Exchange) -> Awaitable[None]:
        headers = self._headers
        if self._concerns_cookies:
            reply, cookies = self._cookies.given(self.operation, exchange.headers, reply)
            headers = [*headers, *cookies]
        if not self._has_reply:
            return exchange.answer(self.http.status, headers, b"")
        headers = [*headers, (b"content-length", b"%d" % len(reply))]
        status = self.http.status if self._accepted is None else self._status_of(reply, self._accepted)
        return exchange.answer(status, headers, reply)

    def _status_of(self, reply: bytes, accepted: TypeAdapter[Any]) -> int:
        try:
            accepted.validator.validate_json(reply)
        except ValidationError:
            return self.http.status
        return HTTPStatus.ACCEPTED


class LogoutRoute(ContractRoute):
    """The way out, which is open to every page with cookies: where the access token is over, the refresh token says who leaves."""

    @override
    async def answer(self, scope: Scope, receive: Receive, send: Send, path: Mapping[str, str]) -> None:
        """Answer one request; a page that shows nothing good has its cookies cleared all the same."""
        exchange = exchange_of(scope)
        try:
            token = await self._left_behind(scope["method"], exchange)
            if token:
                body = to_json({"refresh_token": token})
                await self._bus.forward(LOGOUT_BY_TOKEN, body, caller_of(exchange, None))
        except ValidationFailed:
            pass  # it was no refresh token
        except AppError as error:
            await ProblemResponse(error, challenge(error))(scope, receive, send)
            return
        if token is None:
            await super().answer(scope, receive, send, path)
        else:
            await self._reply(b"", exchange)

    async def _left_behind(self, method: str, exchange: Exchange) -> str | None:
        try:
            await self._identity(method, exchange)
        except (TokenInvalid, TokenExpired, SessionEnded):
            return self._cookies.left_behind(exchange.headers)
        return None


def caller_of(exchange: Exchange, identity: Identity | None) -> Caller:
    """On whose behalf a call is made for this request."""
    headers = exchange.headers
    trace = headers.get(b"traceparent", b"")
    return Caller(
        identity=identity,
        client=_client(
            exchange.client, headers.get(b"user-agent", b""), headers.get(b"accept-language", b"")
        ),
        traceparent=trace.decode() if _TRACEPARENT.fullmatch(trace) else "",
        request_id=exchange.request_id,
    )


@lru_cache(maxsize=4096)  # a client keeps its encoded header over many requests
def _client(ip: str, user_agent: bytes, language: bytes) -> Client:
    return Client(
        ip, user_agent[:_MAX_USER_AGENT].decode("latin-1"), language[:_MAX_LANGUAGE].decode("ascii", "ignore")
    )
