"""A service as an application: its routes, the fronts that stand before them, and the edge around all."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from fastapi import APIRouter, FastAPI
from starlette.routing import Match
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send
from typing_extensions import override

from libs.app.access_log import AccessLog, json_line, text_line
from libs.app.edge import Edge, EdgeSettings
from libs.app.health import Health, Probe, health_routes, operations_routes
from libs.app.logging import is_text
from libs.app.metrics import HttpMetrics
from libs.app.problem import render_errors
from libs.app.settings import ServiceSettings
from libs.app.tally import Tally
from libs.messaging import Bus, Subscription


class ServiceContainer(Protocol):
    """What a service must know of its container; see `libs.containers.container`."""

    @property
    def bus(self) -> Bus:
        """How the service speaks."""

    @property
    def probes(self) -> Mapping[str, Probe]:
        """One per connection, registered by who opened it."""

    async def dismiss_clients(self) -> None:
        """Send away those who are connected for long, before anything that serves them stops."""

    async def close(self) -> None:
        """Close every connection in the reverse order of opening; bounded, and harmless when repeated."""


class Application(Protocol):
    """What stands behind a `Front`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, as ASGI says."""

    def serves(self, scope: Scope) -> bool:
        """Whether any route is there for the request, be it for another method."""


class Front(Protocol):
    """A router that stands before all others, and before FastAPI's own layers; it lets through what it likes."""

    def before(self, app: Application) -> ASGIApp:
        """The application behind it."""


SettingsT = TypeVar("SettingsT", bound=ServiceSettings)
ContainerT = TypeVar("ContainerT", bound=ServiceContainer)

ContainerFactory: TypeAlias = Callable[[SettingsT], Awaitable[ContainerT]]
TopologyDeclarator: TypeAlias = Callable[[ContainerT], Awaitable[None]]
ListenerFactory: TypeAlias = Callable[[ContainerT], Awaitable[Subscription]]
RouterFactory: TypeAlias = Callable[[ContainerT], APIRouter | Front]


class ServiceApp(FastAPI, Generic[SettingsT, ContainerT]):
    """A service: its settings, its health, its routes, and once it runs its container."""

    def __init__(
        self,
        *,
        name: str,
        settings: SettingsT,
        container_factory: ContainerFactory[SettingsT, ContainerT],
        topology_declarator: TopologyDeclarator[ContainerT],
        listener_factories: Sequence[ListenerFactory[ContainerT]],
        routers: Sequence[APIRouter | RouterFactory[ContainerT]],
        lifespan: Lifespan[Any],
    ) -> None:
        super().__init__(
            title=name,
            lifespan=lifespan,
            openapi_url=None,
            redirect_slashes=False,
            telemetry={"tracing": False, "metrics": False, "logs": False},  # the edge measures
        )
        self.name = name
        self.settings = settings
        self.health = Health()
        self.tally = Tally(HttpMetrics(), _access_log(name, settings))
        self.container: ContainerT | None = None
        self.container_factory = container_factory
        self.topology_declarator = topology_declarator
        self.listener_factories = tuple(listener_factories)
        self._router_factories: list[RouterFactory[ContainerT]] = []
        inside_only = settings.http is None  # then the application answers on the operations port
        self.router.routes.extend((operations_routes if inside_only else health_routes)(self.health))
        for router in routers:
            if isinstance(router, APIRouter):
                self.include_router(router)
            else:
                self._router_factories.append(router)
        render_errors(self)
        self.entrance: ASGIApp = self._edge(())
        """Where a request comes in; whoever serves the application need not go through `__call__`."""

    def contain(self, container: ContainerT) -> None:
        """Take the container: ask its probes, and add the routers that are made from it."""
        self.container = container
        self.health.add(container.probes)
        made = [factory(container) for factory in self._router_factories]
        for router in made:
            if isinstance(router, APIRouter):
                self.include_router(router)
        self.entrance = self._edge([router for router in made if not isinstance(router, APIRouter)])

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
        else:
            await self.entrance(scope, receive, send)

    async def dismiss_clients(self) -> None:
        """Send away those who are connected for long; the first act of a stop."""
        if self.container is not None:
            await self.container.dismiss_clients()

    def _edge(self, fronts: Sequence[Front]) -> ASGIApp:
        app: ASGIApp = super().__call__
        for front in reversed(fronts):
            app = front.before(_Behind(app, self.router))
        return Edge(app, settings=self.settings.edge or EdgeSettings(), tally=self.tally)


class _Behind:
    """The application as a front sees it."""

    def __init__(self, app: ASGIApp, router: APIRouter) -> None:
        self._app = app
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def serves(self, scope: Scope) -> bool:
        return any(route.matches(scope)[0] is not Match.NONE for route in self._router.routes)


def _access_log(name: str, settings: ServiceSettings) -> AccessLog | None:
    """None where it is switched off, or where only warnings are logged."""
    wanted = (
        settings.edge is not None and settings.edge.access_log and settings.log.level in {"debug", "info"}
    )
    if not wanted:
        return None
    return AccessLog(name, sys.stdout, text_line if is_text(settings.log) else json_line)
