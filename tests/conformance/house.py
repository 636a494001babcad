"""What a case needs from the messaging under test, in memory and over RabbitMQ."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from typing_extensions import override

from libs.amqp import Channel, Connection, Delivery, Endpoint, Properties
from libs.messaging import Bus, ControlSubscription, EventMessage, Handlers, Listeners, Subscription
from libs.messaging.memory import MemoryBroker, MemoryBus
from libs.messaging.rabbitmq import RabbitBus
from libs.messaging.settings import BrokerSettings
from libs.messaging.topology import (
    EVENTS_EXCHANGE,
    REALTIME_STREAM,
    SHARED,
    dead_queue,
    heard,
    realtime_log,
    served,
)


async def _nothing() -> None:
    """Nothing to ask for after a bind."""


class House(Protocol):
    """Makes buses that reach one another, and looks behind them.

    The options of a bus: ``max_in_flight``, ``drain_timeout`` (s), ``event_timeout`` (s).
    """

    async def bus(self, name: str, **options: float) -> Bus: ...
    async def serve(self, bus: Bus, handlers: Handlers) -> Subscription: ...
    async def subscribe(self, bus: Bus, listeners: Listeners) -> Subscription: ...
    async def control(
        self, bus: Bus, listeners: Listeners, *, bound: Callable[[], Awaitable[None]] = _nothing
    ) -> ControlSubscription: ...
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
    async def bus(self, name: str, **options: float) -> Bus:
        bus = MemoryBus(self._broker, **options)  # type: ignore[arg-type]  # one of them is whole
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
    ) -> ControlSubscription:
        return await bus.control(listeners, bound=bound)

    @override
    async def make_log(self) -> None:
        """The log in memory always stands."""

    @override
    async def log(self, *, count: int) -> list[EventMessage]:
        return self._broker.log[:count]

    @override
    async def dead_letters(self, service: str, *, count: int) -> list[EventMessage]:
        async with asyncio.timeout(30):
            while len(self._broker.dead_letters) < count:  # ruff: ignore[async-busy-wait] - a listener's end makes it true
                await asyncio.sleep(0.005)
        return self._broker.dead_letters[:count]

    @override
    async def send_raw(self, name: str, body: bytes) -> None:
        await self._buses[0].send(EventMessage(name=name, body=body))

    @override
    async def close(self) -> None:
        for bus in self._buses:
            await bus.close()


class RabbitHouse(House):
    """A fresh vhost of a real broker; ``tap`` is a connection that looks into its queues."""

    def __init__(self, url: str, tap: Connection) -> None:
        self._url = url
        self._tap = tap
        self._buses: list[RabbitBus] = []

    @classmethod
    async def open(cls, url: str) -> RabbitHouse:
        house = cls(url, await Connection.open([Endpoint.parse(url)], name="tap"))
        declaring = await house._rabbit("declaring")
        await declaring.declare(SHARED)
        return house

    async def _rabbit(self, name: str, **options: float) -> RabbitBus:
        settings = BrokerSettings.model_validate(
            {"url": self._url, "trusted_callers": {"gatehouse"}, "drain_timeout": 5, **options}
        )
        bus = await RabbitBus.open(settings, name=name)
        self._buses.append(bus)
        return bus

    @override
    async def bus(self, name: str, **options: float) -> Bus:
        return await self._rabbit(name, **options)

    @override
    async def serve(self, bus: Bus, handlers: Handlers) -> Subscription:
        await self._buses[0].declare(served(handlers))
        return await bus.serve(handlers)

    @override
    async def subscribe(self, bus: Bus, listeners: Listeners) -> Subscription:
        await self._buses[0].declare(heard(listeners))
        return await bus.subscribe(listeners)

    @override
    async def control(
        self, bus: Bus, listeners: Listeners, *, bound: Callable[[], Awaitable[None]] = _nothing
    ) -> ControlSubscription:
        return await bus.control(listeners, bound=bound)

    @override
    async def make_log(self) -> None:
        await self._buses[0].declare(realtime_log(max_bytes=1_000_000))

    @override
    async def log(self, *, count: int) -> list[EventMessage]:
        return await self._read(REALTIME_STREAM, count, offset="first")

    @override
    async def dead_letters(self, service: str, *, count: int) -> list[EventMessage]:
        return await self._read(dead_queue(service), count)

    async def _read(self, queue: str, count: int, *, offset: str = "") -> list[EventMessage]:
        found: list[Delivery] = []
        enough = asyncio.Event()

        def on_delivery(delivery: Delivery) -> None:
            found.append(delivery)
            delivery.ack()
            if len(found) >= count:
                enough.set()

        channel: Channel = await self._tap.channel(prefetch=100)
        await channel.consume(queue, on_delivery, arguments={"x-stream-offset": offset} if offset else {})
        async with asyncio.timeout(30):
            await enough.wait()
        await channel.close()
        return [_message(delivery) for delivery in found]

    @override
    async def send_raw(self, name: str, body: bytes) -> None:
        channel = await self._tap.channel(confirms=True)
        await channel.publish_confirmed(EVENTS_EXCHANGE, name, body, Properties(type=name), mandatory=True)

    @override
    async def close(self) -> None:
        for bus in self._buses:
            await bus.close()
        await self._tap.close()


def _message(delivery: Delivery) -> EventMessage:
    return EventMessage(
        name=delivery.type or "",
        body=delivery.body,
        channel=delivery.headers.get("channel", ""),
        message_id=delivery.message_id or "",
    )
