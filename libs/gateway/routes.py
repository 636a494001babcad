"""HTTP routes made from contracts: what the list of operations says is served, and everything asks for a token first."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Collection, Iterable, Mapping
from functools import lru_cache
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from libs.app import (
    HANDSHAKE,
    Application,
    Exchange,
    MethodNotAllowed,
    NotFound,
    ProblemResponse,
    exchange_of,
)
from libs.gateway.authorization import Authorization, challenge
from libs.gateway.cookies import Cookies
from libs.gateway.incoming import ClientGone, Incoming
from libs.gateway.oauth import OAuthIncoming, refusal
from libs.messaging import (
    AUTHENTICATED,
    PUBLIC,
    AnyOperation,
    AppError,
    Bus,
    Caller,
    Client,
    Http,
    Identity,
    acting_for,
)

_TRACEPARENT = re.compile(
    rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"
)  # W3C Trace Context, section 3.2
_NO_FIELDS: Mapping[str, str] = MappingProxyType({})
_MAX_USER_AGENT = 256  # characters
_MAX_LANGUAGE = 100  # characters


class ContractRoute:
    """One operation at one method of a path: judge the caller, pass the body on, give the reply back as it is."""

    def __init__(
        self, operation: AnyOperation, http: Http, bus: Bus, authorization: Authorization, cookies: Cookies
    ) -> None:
        self.operation = operation
        self.http = http
        self._bus = bus
        self._authorization = authorization
        self._incoming = OAuthIncoming(operation, http) if http.oauth else Incoming(operation, http)
        self._cookies = cookies
        self._concerns_cookies = cookies.concern(operation)
        self._accepted = TypeAdapter[Any](http.accepted) if http.accepted else None
        self._has_reply = http.status != HTTPStatus.NO_CONTENT
        self._headers = [(b"content-type", b"application/json")] if self._has_reply else []
        if http.no_store:
            self._headers.append((b"cache-control", b"no-store"))

    @property
    def needs_body(self) -> bool:
        """Whether the request cannot be made without a body."""
        return self.http.body and self._incoming.needs_body

    async def answer(self, scope: Scope, receive: Receive, send: Send, path: Mapping[str, str]) -> None:
        """Answer one request; ``path`` holds the fields that the path carries."""
        exchange = exchange_of(scope)
        try:
            # The token comes first: whoever has none learns nothing about what else is wrong.
            identity = await self._identity(scope["method"], exchange)
            body = await self._incoming.read(exchange, scope["query_string"], path)
            if self._concerns_cookies:
                body = self._cookies.presented(self.operation, exchange.headers, body)
            reply = await self._bus.forward(self.operation, body, caller_of(exchange, identity))
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
            await self._reply(reply, exchange)

    async def _identity(self, method: str, exchange: Exchange) -> Identity | None:
        access = self.operation.access
        if access is PUBLIC:
            return None
        return await self._authorization.admit(access, self._cookies.authorization(method, exchange.headers))

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


class Resource:
    """The operations at one path, by method; HEAD is served where GET is, and OPTIONS everywhere."""

    def __init__(self, path: str) -> None:
        self.path = path
        """The template, as metrics name it."""
        self.contracts: list[ContractRoute] = []
        self.routes: dict[str, ContractRoute] = {}

    def add(self, route: ContractRoute) -> None:
        """Serve ``route`` at its method; raises ValueError where another contract has the place."""
        method = route.http.method
        if method in self.routes:
            taken = self.routes[method].operation.name
            raise ValueError(f"{route.operation.name} and {taken} both want {method} {self.path}")
        self.contracts.append(route)
        self.routes[method] = route
        if method == "GET":
            self.routes["HEAD"] = route

    @property
    def allow(self) -> str:
        """The value of an ``Allow`` header (RFC 9110, section 10.2.1)."""
        return ", ".join(sorted({*self.routes, "OPTIONS"}))

    def answer(self, scope: Scope, receive: Receive, send: Send, path: Mapping[str, str]) -> Awaitable[None]:
        """Answer one request; a plain function, since each coroutine on the way costs the request something."""
        scope["route"] = self
        route = self.routes.get(scope["method"])
        if route is not None:
            return route.answer(scope, receive, send, path)
        if scope["method"] == "OPTIONS":
            return Response(status_code=204, headers={"allow": self.allow})(scope, receive, send)
        return ProblemResponse(MethodNotAllowed(), {"allow": self.allow})(scope, receive, send)


class Gate:
    """The gateway's door, before the application's own routes: it serves the contracts and guards the rest.

    What no contract serves is reached with a valid token only, unless its path is one of ``open_paths``; a WebSocket must
    be one of them and judge its clients itself.
    """

    def __init__(
        self,
        operations: Iterable[AnyOperation],
        *,
        bus: Bus,
        authorization: Authorization,
        open_paths: Collection[str],
        cookies: Cookies,
    ) -> None:
        self._authorization = authorization
        self._cookies = cookies
        self._open = frozenset(open_paths)
        self._fixed: dict[str, Resource] = {}
        self._templates: dict[str, tuple[re.Pattern[str], Resource]] = {}
        for operation in operations:
            if operation.http is not None:
                route = ContractRoute(operation, operation.http, bus, authorization, cookies)
                self._resource(operation.http.path).add(route)

    @property
    def routes(self) -> list[ContractRoute]:
        """Every contract that is served."""
        resources = [*self._fixed.values(), *(resource for _, resource in self._templates.values())]
        return [route for resource in resources for route in resource.contracts]

    def before(self, app: Application) -> ASGIApp:
        """The application behind the gate."""
        cookies = self._cookies

        def gate(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            path = scope["path"]
            if scope["type"] == "http":
                if resource := self._fixed.get(path):
                    return resource.answer(scope, receive, send, _NO_FIELDS)
                if found := self._by_template(path):
                    resource, fields = found
                    return resource.answer(scope, receive, send, fields)
            if path in self._open:
                if scope["type"] == "websocket":
                    scope[HANDSHAKE] = cookies.handshake(dict(scope["headers"]))
                return app(scope, receive, send)
            return self._guard(app, scope, receive, send)

        return gate

    def _resource(self, path: str) -> Resource:
        if "{" not in path:
            return self._fixed.setdefault(path, Resource(path))
        for other in self._templates:
            if other != path and _shape(other) == _shape(path):
                raise ValueError(f"{path} and {other} are one path with two names for a field")
        return self._templates.setdefault(path, (_pattern(path), Resource(path)))[1]

    def _by_template(self, path: str) -> tuple[Resource, dict[str, str]] | None:
        for pattern, resource in self._templates.values():
            if match := pattern.fullmatch(path):
                return resource, match.groupdict()
        return None

    async def _guard(self, app: Application, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request with a valid token through to the application, on its bearer's behalf."""
        if scope["type"] == "websocket":
            await ProblemResponse(NotFound())(scope, receive, send)  # instead of the handshake
            return
        if not app.serves(scope):
            raise NotFound
        exchange = exchange_of(scope)
        try:
            shown = self._cookies.authorization(scope["method"], exchange.headers)
            identity = await self._authorization.admit(AUTHENTICATED, shown)
        except AppError as error:
            await ProblemResponse(error, challenge(error))(scope, receive, send)
            return
        with acting_for(caller_of(exchange, identity)):
            await app(scope, receive, send)


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


def _shape(path: str) -> str:
    """A template without the names of its fields."""
    return re.sub(r"{\w+}", "{}", path)


def _pattern(path: str) -> re.Pattern[str]:
    """A template as a pattern: a field is one segment of the path."""
    literal = re.split(r"{\w+}", path)
    fields = re.findall(r"{(\w+)}", path)
    parts = [re.escape(literal[0])]
    for name, text in zip(fields, literal[1:], strict=True):
        parts += [f"(?P<{name}>[^/]+)", re.escape(text)]
    return re.compile("".join(parts))
