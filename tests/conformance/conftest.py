"""Every case of the conformance suite runs once per bus."""

from collections.abc import AsyncIterator

import pytest

from tests.conformance.house import House, MemoryHouse


@pytest.fixture(params=["memory"])
async def house(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    made = MemoryHouse()
    yield made
    await made.close()
