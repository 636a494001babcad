"""How every service starts and stops: one order, forwards and backwards.

The settings are read, then the lifespan makes the container (RabbitMQ, Redis, PostgreSQL), declares the topology,
starts the listeners and is ready. On a stop it runs the exact reverse: not ready, listeners, connections.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import structlog
from fastapi import APIRouter, FastAPI
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import override

from libs.app.access_log import AccessLog, json_line, text_line
from libs.app.edge import Edge, EdgeSettings
from libs.app.errors import StartFailed
from libs.app.health import Health, Probe, health_routes, operations_routes
from libs.app.logging import is_text
from libs.app.problem import render_errors
from libs.app.settings import ServiceSettings, load_settings
from libs.app.stopping import stop_within
from libs.messaging import Bus, Subscription

_log = structlog.get_logger(__name__)
_STOP_SECONDS = 30.0  # a guard behind the bounds that subscriptions and the bus keep themselves


class ServiceContainer(Protocol):
    """What the bootstrap must know of a container; see `libs.containers.container`."""

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
    """A router that stands before all others and lets through to them what it likes."""

    def before(self, app: Application) -> ASGIApp:
        """The application behind it."""


SettingsT = TypeVar("SettingsT", bound=ServiceSettings)
ContainerT = TypeVar("ContainerT", bound=ServiceContainer)

ContainerFactory: TypeAlias = Callable[[SettingsT], Awaitable[ContainerT]]
TopologyDeclarator: TypeAlias = Callable[[ContainerT], Awaitable[None]]
ListenerFactory: TypeAlias = Callable[[ContainerT], Awaitable[Subscription]]
RouterFactory: TypeAlias = "Callable[[ContainerT], APIRouter | Front]"


class ServiceApp(FastAPI, Generic[SettingsT, ContainerT]):
    """A service: its FastAPI application, its settings, and once it runs its container."""

    def __init__(
        self,
        *,
        name: str,
        settings: SettingsT,
        container_factory: ContainerFactory[SettingsT, ContainerT],
        topology_declarator: TopologyDeclarator[ContainerT],
        listener_factories: Sequence[ListenerFactory[ContainerT]],
        routers: Sequence[APIRouter | RouterFactory[ContainerT]],
    ) -> None:
        super().__init__(
            title=name,
            lifespan=service_lifespan,
            openapi_url=None,
            redirect_slashes=False,
            telemetry={"tracing": False, "metrics": False, "logs": False},  # the edge measures
        )
        self.name = name
        self.settings = settings
        self.health = Health()
        self.container: ContainerT | None = None
        self.container_factory = container_factory
        self.topology_declarator = topology_declarator
        self.listener_factories = tuple(listener_factories)
        inside_only = settings.http is None  # then the application answers on the operations port
        self.router.routes.extend((operations_routes if inside_only else health_routes)(self.health))
        self._fronts: list[Front] = []
        self._router_factories: list[RouterFactory[ContainerT]] = []
        for router in routers:
            if isinstance(router, APIRouter):
                self.include_router(router)
            else:
                self._router_factories.append(router)
        render_errors(self)

    def include_routers_of(self, container: ContainerT) -> None:
        """Add the routers that are made from the container."""
        for factory in self._router_factories:
            router = factory(container)
            if isinstance(router, APIRouter):
                self.include_router(router)
            else:
                self._fronts.append(router)
        self.middleware_stack = None  # made anew, with the fronts, for the next request

    @override
    def build_middleware_stack(self) -> ASGIApp:
        app: ASGIApp = super().build_middleware_stack()
        for front in reversed(self._fronts):
            app = front.before(_Routes(app, self.router))
        access_log = _access_log(self.name, self.settings)
        return Edge(app, settings=self.settings.edge or EdgeSettings(), access_log=access_log)

    async def dismiss_clients(self) -> None:
        """Send away those who are connected for long; the first act of a stop."""
        if self.container is not None:
            await self.container.dismiss_clients()


class _Routes:
    """The application's own routes, behind the fronts."""

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


def create_service_app(
    *,
    name: str,
    settings_class: type[SettingsT],
    container_factory: ContainerFactory[SettingsT, ContainerT],
    topology_declarator: TopologyDeclarator[ContainerT],
    listener_factories: Sequence[ListenerFactory[ContainerT]],
    routers: Sequence[APIRouter | RouterFactory[ContainerT]] = (),
) -> ServiceApp[SettingsT, ContainerT]:
    """The application of a service; raises `SettingsInvalid` where its settings cannot be read.

    ``routers`` are plain routers, or functions that make one from the container once it exists.
    """
    return ServiceApp(
        name=name,
        settings=load_settings(settings_class),
        container_factory=container_factory,
        topology_declarator=topology_declarator,
        listener_factories=listener_factories,
        routers=routers,
    )


@asynccontextmanager
async def service_lifespan(app: ServiceApp[Any, Any]) -> AsyncGenerator[None]:
    """Container, topology, listeners, ready; and back. Raises `StartFailed` naming the step that failed.

    Whatever was opened before a failing step, or before a cancellation, is closed in reverse.
    """
    async with AsyncExitStack() as opened:
        with _step(app.name, "making the container"):
            container = await app.container_factory(app.settings)
        opened.push_async_callback(container.close)
        opened.push_async_callback(stop_within, _STOP_SECONDS, "bus", container.bus.drain)
        app.container = container
        app.health.add(container.probes)
        app.include_routers_of(container)
        with _step(app.name, "declaring the topology"):
            await app.topology_declarator(container)
        for factory in app.listener_factories:
            with _step(app.name, "starting the listeners"):
                subscription = await factory(container)
            opened.push_async_callback(stop_within, _STOP_SECONDS, "listener", subscription.stop)
        opened.callback(app.health.stopping)
        app.health.started()
        _log.info("service_ready")
        yield


@contextmanager
def _step(service: str, doing: str) -> Generator[None]:
    """Turn whatever fails in a step into one line for the operator; the cause goes along."""
    try:
        yield
    except StartFailed as error:
        raise StartFailed(f"{service} cannot start: {error}") from error
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise StartFailed(f"{service} cannot start: {doing} failed: {reason}") from error
