from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from libs.gateway.relief import SECONDS
from libs.messaging import (
    PUBLIC,
    AppError,
    Caller,
    Empty,
    Handlers,
    Interrupted,
    Lane,
    Operation,
    Overloaded,
    post,
)
from tests.unit.libs.app.asgi import ask
from tests.unit.libs.gateway.door import Door

HASH = Operation("forge.hash", Empty, Empty, access=PUBLIC, http=post("/v1/hash"), lane="slow")
BURN = Operation("forge.burn", Empty, Empty, access=PUBLIC, http=post("/v1/burn"), lane="slow")
LOOK = Operation("forge.look", Empty, Empty, access=PUBLIC, http=post("/v1/look"))


class Forge:
    """A service that refuses as it is told, and counts what reaches it."""

    def __init__(self) -> None:
        self.error: AppError | None = None
        self.asked = 0

    def handlers(self) -> Handlers:
        table = Handlers("forge", lanes={"slow": Lane()})
        for operation in (HASH, BURN, LOOK):
            table.on(operation, self.answer)
        return table

    async def answer(self, _request: Empty, _caller: Caller) -> Empty:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return Empty()


class World:
    """The forge behind a gate, at a time that a test sets."""

    def __init__(self) -> None:
        self.forge = Forge()
        self.now = 1000.0
        self.door = Door([HASH, BURN, LOOK], clock=lambda: self.now)

    async def status(self, operation: Operation[Empty, Empty]) -> int:
        assert operation.http is not None
        return (await ask(self.door.app, "POST", operation.http.path)).status


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    await world.door.bus.serve(world.forge.handlers())
    yield world
    await world.door.bus.close()


async def test_a_lane_that_refused_a_call_is_left_alone_for_a_moment(world: World) -> None:
    world.forge.error = Overloaded()
    assert await world.status(HASH) == 503
    world.forge.error = None
    assert [await world.status(one) for one in (HASH, BURN, HASH)] == [503] * 3
    assert world.forge.asked == 1
    assert await world.status(LOOK) == 200  # another lane
    world.now += SECONDS
    assert await world.status(BURN) == 200


async def test_what_was_refused_here_makes_the_moment_no_longer(world: World) -> None:
    world.forge.error = Overloaded()
    await world.status(HASH)
    world.now += SECONDS * 0.9
    assert await world.status(HASH) == 503
    world.now += SECONDS * 0.2
    world.forge.error = None
    assert await world.status(HASH) == 200


async def test_other_failures_leave_the_lane_open(world: World) -> None:
    world.forge.error = Interrupted()
    assert await world.status(HASH) == 502
    world.forge.error = None
    assert await world.status(HASH) == 200


async def test_a_refusal_here_says_when_to_come_again(world: World) -> None:
    world.forge.error = Overloaded()
    await world.status(HASH)
    refused = await ask(world.door.app, "POST", "/v1/hash")
    assert refused.header("retry-after") == "1"
