"""Every case of the conformance suite runs once per bus."""

from collections.abc import AsyncIterator

import pytest

from tests.conformance.house import House, MemoryHouse, RabbitHouse


@pytest.fixture(params=["memory", "rabbitmq"])
async def house(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    made: House
    if request.param == "memory":
        made = MemoryHouse()
    else:
        made = await RabbitHouse.open(request.getfixturevalue("amqp_url"))
    yield made
    await made.close()
