"""What every container is: resources opened in order, each with its probe, closed in the exact reverse.

A service's container is a frozen dataclass on top of it, made when the service starts::

    @classmethod
    async def create(cls, settings: AuthSections) -> Self:
        async with opening() as opened:
            bus = await opened.open("rabbitmq", lambda: RabbitBus.open(settings.broker), probe=RabbitBus.check)
            ...
            return cls(opened=opened, bus=bus, ...)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Protocol, TypeVar

import structlog

from libs.app import DependencyAway, Probe, stop_within
from libs.messaging import Bus

_log = structlog.get_logger(__name__)


class Closable(Protocol):
    """Something that holds connections."""

    async def close(self) -> None:
        """Let them go."""


OpenedT = TypeVar("OpenedT", bound=Closable)


class Opened:
    """The resources of one container, in the order of their opening.

    A start waits ``start_seconds`` for each dependency; a stop gives each ``stop_seconds``.
    """

    def __init__(self, *, start_seconds: float = 30.0, stop_seconds: float = 10.0) -> None:
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds
        self._stack = AsyncExitStack()
        self._probes: dict[str, Probe] = {}
        self._farewells: list[tuple[str, Callable[[], Awaitable[None]]]] = []

    @property
    def probes(self) -> Mapping[str, Probe]:
        """The probes of what is open, by name."""
        return MappingProxyType(self._probes)

    async def open(
        self,
        name: str,
        opener: Callable[[], Awaitable[OpenedT]],
        *,
        probe: Callable[[OpenedT], Awaitable[None]],
        essential: bool = True,
        away: tuple[type[Exception], ...] = (),
    ) -> OpenedT:
        """What ``opener`` gives, to be closed with the container and asked for its health by ``probe``.

        Without an ``essential`` one the running service is not ready, without another it only says so.
        A dependency that is away (OSError, which timeouts are too, or one of the driver's own ``away`` errors) is tried
        again, one log line per attempt; raises `DependencyAway` when the time is up.
        """
        resource = await self._retried(name, opener, (OSError, *away))
        self.closing(name, resource.close)
        self.probing(name, partial(probe, resource), essential=essential)
        return resource

    def probing(self, name: str, check: Callable[[], Awaitable[None]], *, essential: bool = True) -> None:
        """Ask ``check`` for the health of something that the container owns."""
        self._probes[name] = Probe(check, essential)

    def closing(self, name: str, close: Callable[[], Awaitable[None]]) -> None:
        """Await ``close()`` when the container closes, before whatever was opened earlier."""
        self._stack.push_async_callback(stop_within, self._stop_seconds, name, close)

    def dismissing(self, name: str, dismiss: Callable[[], Awaitable[None]]) -> None:
        """Await ``dismiss()`` first of all when the service stops: clients learn that they should go elsewhere."""
        self._farewells.append((name, dismiss))

    async def dismiss_clients(self) -> None:
        """Send away the clients of every resource that has some."""
        for name, dismiss in self._farewells:
            await stop_within(self._stop_seconds, name, dismiss)

    async def close(self) -> None:
        """Close everything in reverse; whatever fails is logged and never in the way of the rest."""
        await self._stack.aclose()

    async def _retried(
        self, name: str, opener: Callable[[], Awaitable[OpenedT]], away: tuple[type[Exception], ...]
    ) -> OpenedT:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._start_seconds
        delay = 0.5
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    return await opener()
            except away as error:
                reason = " ".join(str(error).split()) or type(error).__name__
                if loop.time() + delay >= deadline:
                    raise DependencyAway(
                        f"{name} has been away for {self._start_seconds:g} s: {reason}"
                    ) from error
                _log.warning("dependency_away", dependency=name, reason=reason, retry_in=delay)
            await asyncio.sleep(delay)
            delay = min(delay * 1.6, 3.0)


@asynccontextmanager
async def opening() -> AsyncGenerator[Opened]:
    """Resources to fill a container with; when the block fails, what was opened is closed in reverse."""
    opened = Opened()
    try:
        yield opened
    except BaseException:
        await opened.close()
        raise


@dataclass(frozen=True, kw_only=True)
class Container:
    """What a service owns while it runs; services add their typed fields."""

    opened: Opened
    bus: Bus

    @property
    def probes(self) -> Mapping[str, Probe]:
        """One per connection."""
        return self.opened.probes

    async def dismiss_clients(self) -> None:
        """Send away those who are connected for long."""
        await self.opened.dismiss_clients()

    async def close(self) -> None:
        """Close every connection in reverse; again: nothing."""
        await self.opened.close()
