"""How every service starts and stops: one order, forwards and backwards.

The settings are read, then the lifespan makes the container (RabbitMQ, Redis, PostgreSQL), declares the topology,
starts the listeners and is ready. On a stop it runs the exact reverse: not ready, listeners, connections.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

import structlog
from fastapi import APIRouter

from libs.app.errors import StartFailed
from libs.app.service import (
    ContainerFactory,
    ContainerT,
    ListenerFactory,
    RouterFactory,
    ServiceApp,
    SettingsT,
    TopologyDeclarator,
)
from libs.app.settings import load_settings
from libs.app.stopping import stop_within

_log = structlog.get_logger(__name__)
_STOP_SECONDS = 30.0  # a guard behind the bounds that subscriptions and the bus keep themselves


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
        lifespan=service_lifespan,
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
        app.contain(container)
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
