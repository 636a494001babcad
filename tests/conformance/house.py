"""What a case needs from the messaging under test, in memory and over RabbitMQ."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from typing_extensions import override

from libs.messaging import Bus, EventMessage, Handlers, Listeners, Subscription
from libs.messaging.memory import MemoryBroker, MemoryBus


async def _nothing() -> None:
    """Nothing to ask for after a bind."""


class House(Protocol):
    """Makes buses that reach one another, and looks behind them."""

    async def bus(self, name: str, *, max_in_flight: int = 10_000) -> Bus: ...
    async def serve(self, bus: Bus, handlers: Handlers) -> Subscription: ...
    async def subscribe(self, bus: Bus, listeners: Listeners) -> Subscription: ...
    async def control(
        self, bus: Bus, listeners: Listeners, *, bound: Callable[[], Awaitable[None]] = _nothing
    ) -> Subscription: ...
    async def make_log(self) -> None: ...
    async def log(self, *, count: int) -> list[EventMessage]: ...
    async def dead_letters(self, service: str, *, count: int) -> list[EventMessage]: ...
    async def send_raw(self, name: str, body: bytes) -> None: ...
    async def close(self) -> None: ...


class MemoryHouse(House):
    """Everything in one `MemoryBroker`."""

    def __init__(self) -> None:
        self._broker = MemoryBroker()
        self._buses: list[MemoryBus] = []

    @override
    async def bus(self, name: str, *, max_in_flight: int = 10_000) -> Bus:
        bus = MemoryBus(self._broker, max_in_flight=max_in_flight)
        self._buses.append(bus)
        return bus

    @override
    async def serve(self, bus: Bus, handlers: Handlers) -> Subscription:
        return await bus.serve(handlers)

    @override
    async def subscribe(self, bus: Bus, listeners: Listeners) -> Subscription:
        return await bus.subscribe(listeners)

    @override
    async def control(
        self, bus: Bus, listeners: Listeners, *, bound: Callable[[], Awaitable[None]] = _nothing
    ) -> Subscription:
        return await bus.control(listeners, bound=bound)

    @override
    async def make_log(self) -> None:
        """The log in memory always stands."""

    @override
    async def log(self, *, count: int) -> list[EventMessage]:
        return self._broker.log[:count]

    @override
    async def dead_letters(self, service: str, *, count: int) -> list[EventMessage]:
        for bus in self._buses:
            await bus.drain()
        return self._broker.dead_letters[:count]

    @override
    async def send_raw(self, name: str, body: bytes) -> None:
        await self._buses[0].send(EventMessage(name=name, body=body))

    @override
    async def close(self) -> None:
        for bus in self._buses:
            await bus.close()
