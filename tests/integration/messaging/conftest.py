"""Buses of the gateway and of a service, each as its own RabbitMQ user, in a fresh vhost."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import pytest

from libs.amqp import Connection, Endpoint
from libs.messaging.rabbitmq import RabbitBus
from libs.messaging.settings import BrokerSettings
from tests.fixtures.services import Vhost

OpenBus: TypeAlias = Callable[..., Awaitable[RabbitBus]]


@pytest.fixture
async def open_bus(vhost: Vhost) -> AsyncIterator[OpenBus]:
    """``await open_bus("gateway", max_body=...)``: a bus as that RabbitMQ user."""
    opened: list[RabbitBus] = []

    async def open_one(user: str, **settings: object) -> RabbitBus:
        values = {"url": vhost.url_for(user), "drain_timeout": 5, **settings}
        bus = await RabbitBus.open(BrokerSettings.model_validate(values), name=user)
        opened.append(bus)
        return bus

    yield open_one
    for bus in opened:
        await bus.close()


@pytest.fixture
async def tap(amqp_url: str) -> AsyncIterator[Connection]:
    """A connection of the operator, which may do everything."""
    connection = await Connection.open([Endpoint.parse(amqp_url)], name="tap")
    yield connection
    await connection.close()
