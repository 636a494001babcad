"""The gateway's door: what the list of operations says is served, and everything asks for a token first."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from functools import partial
from types import MappingProxyType

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from libs.app import HANDSHAKE, Application, MethodNotAllowed, NotFound, ProblemResponse, exchange_of
from libs.domain.auth import LOGOUT
from libs.gateway.authorization import Authorization, challenge
from libs.gateway.cookies import Cookies
from libs.gateway.relief import Relief
from libs.gateway.routes import NO_STORE, ContractRoute, LogoutRoute, caller_of
from libs.messaging import AUTHENTICATED, AnyOperation, AppError, Bus, acting_for

_NO_FIELDS: Mapping[str, str] = MappingProxyType({})


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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._authorization = authorization
        self._cookies = cookies
        self._open = frozenset(open_paths)
        self._fixed: dict[str, Resource] = {}
        self._templates: dict[str, tuple[re.Pattern[str], Resource]] = {}
        lanes: defaultdict[tuple[str, str], Relief] = defaultdict(partial(Relief, clock))
        for operation in operations:
            if operation.http is not None:
                kind = LogoutRoute if operation is LOGOUT else ContractRoute
                relief = lanes[operation.service, operation.lane]
                route = kind(operation, operation.http, bus, authorization, cookies, relief)
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
            await app(scope, receive, _unstored(send))


def _unstored(send: Send) -> Send:
    """ASGI's send for what only a known caller sees: no cache keeps it, unless the route itself says what one may."""

    def send_unstored(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            if all(name.lower() != NO_STORE[0] for name, _ in headers):
                message = {**message, "headers": [*headers, NO_STORE]}
        return send(message)

    return send_unstored


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
