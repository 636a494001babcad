from __future__ import annotations

import asyncio
import json

import pytest
from typing_extensions import override

from libs.domain.auth import Claims
from libs.gateway import PublicKeys
from libs.infra.jwt import TokenSettings, TokenVerifier
from libs.messaging import (
    ANONYMOUS,
    Caller,
    Client,
    Operation,
    TimedOut,
    Unavailable,
    acting_for,
    current_caller,
)
from libs.messaging.contract import ReplyT, RequestT
from libs.messaging.memory import MemoryBus
from tests.unit.libs.gateway.door import AuthService, Issuer, eventually


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class SlowBus(MemoryBus):
    """Holds back the answers to the questions of its choice, or lets them time out."""

    def __init__(self) -> None:
        super().__init__()
        self.holds = False
        self.held: list[asyncio.Future[None]] = []
        """What the calls wait for, after the answer has left the service."""
        self.asked: list[tuple[float | None, Caller]] = []
        """The time and the caller of every call."""

    @override
    async def call(
        self, operation: Operation[RequestT, ReplyT], request: RequestT, *, timeout: float | None = None
    ) -> ReplyT:
        self.asked.append((timeout, current_caller()))
        if not self.holds:
            return await super().call(operation, request, timeout=timeout)
        held: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        reply = await super().call(operation, request, timeout=timeout)
        self.held.append(held)
        await held
        return reply


class World:
    def __init__(self) -> None:
        self.clock = Clock()
        self.bus = SlowBus()
        self.issuer = Issuer()
        self.auth = AuthService(self.issuer)
        self.verifier = TokenVerifier(Claims, TokenSettings())
        self.keys = PublicKeys(self.bus, self.verifier, monotonic=self.clock)

    async def serve(self) -> None:
        await self.bus.serve(self.auth.handlers())


async def test_the_keys_of_the_auth_service_verify_its_tokens() -> None:
    world = World()
    await world.serve()
    await world.keys.load()
    assert world.verifier.verify(world.issuer.token(sub="ann")).sub == "ann"


async def test_the_set_is_given_on_as_json() -> None:
    world = World()
    await world.serve()
    await world.keys.load()
    assert [key["kid"] for key in json.loads(world.keys.jwks)["keys"]] == [world.issuer.keys[0].kid]


async def test_before_they_are_loaded_there_are_none() -> None:
    with pytest.raises(Unavailable):
        _ = World().keys.jwks


async def test_an_auth_service_that_does_not_answer_is_told() -> None:
    with pytest.raises(Unavailable):
        await World().keys.load()


async def test_a_changed_set_makes_a_new_generation_and_an_unchanged_one_does_not() -> None:
    world = World()
    await world.serve()
    await world.keys.load()
    await world.keys.load()
    assert world.keys.generation == 1
    world.issuer.rotate()
    await world.keys.load()
    assert world.keys.generation == 2


async def test_a_key_that_leaves_the_set_is_told_once() -> None:
    world = World()
    await world.serve()
    await world.keys.load()
    dropped: list[str] = []
    world.keys.on_dropped.append(dropped.append)
    world.issuer.rotate()
    await world.keys.load()
    assert dropped == []
    gone = world.issuer.keys.pop(0)
    await world.keys.load()
    await world.keys.load()
    assert dropped == [gone.kid]


async def test_unknown_keys_are_asked_for_once_however_many_tokens_name_them() -> None:
    world = World()
    await world.serve()
    await asyncio.gather(*(world.keys.look_again() for _ in range(50)))
    assert world.auth.asked_for_keys == 1


async def test_five_seconds_later_they_may_be_asked_for_again() -> None:
    world = World()
    await world.serve()
    await world.keys.look_again()
    world.clock.now += 4.9
    await world.keys.look_again()
    assert world.auth.asked_for_keys == 1
    world.clock.now += 0.1
    await world.keys.look_again()
    assert world.auth.asked_for_keys == 2


async def test_while_nobody_answers_a_key_is_not_called_unknown() -> None:
    """A client with a new and good token must not be sent away because the auth service is restarting."""
    world = World()
    with pytest.raises(Unavailable):
        await world.keys.look_again()
    with pytest.raises(Unavailable):
        await world.keys.look_again()


class TestFlood:
    """Many tokens with unknown keys, while the auth service is there and answers nobody."""

    async def wait(self, world: World, count: int) -> list[asyncio.Task[None]]:
        """So many ask for the keys, and wait for one question."""
        world.bus.holds = True
        asking = [asyncio.create_task(world.keys.look_again()) for _ in range(count)]

        async def asked() -> bool:
            return bool(world.bus.held)

        await eventually(asked)
        return asking

    async def test_they_put_one_question_and_share_that_it_had_no_answer(self) -> None:
        world = World()
        await world.serve()
        asking = await self.wait(world, 1000)
        world.bus.held[0].set_exception(TimedOut())
        outcomes = await asyncio.gather(*asking, return_exceptions=True)
        assert {type(one) for one in outcomes} == {Unavailable}
        assert [timeout for timeout, _ in world.bus.asked] == [1.5]

    async def test_the_pause_begins_when_the_question_is_over(self) -> None:
        world = World()
        await world.serve()
        asking = await self.wait(world, 3)
        world.clock.now += 100
        world.bus.held[0].set_exception(TimedOut())
        await asyncio.gather(*asking, return_exceptions=True)
        world.bus.holds = False
        world.clock.now += 4.9
        for _ in range(100):
            with pytest.raises(Unavailable):
                await world.keys.look_again()
        assert len(world.bus.asked) == 1
        world.clock.now += 0.1
        await asyncio.gather(*(world.keys.look_again() for _ in range(100)))
        assert len(world.bus.asked) == 2
        assert world.keys.generation == 1

    async def test_a_rotation_does_not_wait_behind_them(self) -> None:
        world = World()
        await world.serve()
        asking = await self.wait(world, 100)
        world.issuer.rotate()
        world.bus.holds = False
        await world.keys.load()
        assert world.verifier.verify(world.issuer.token(sub="ann")).sub == "ann"
        world.bus.held[0].set_result(None)
        await asyncio.gather(*asking)

    async def test_an_older_set_that_arrives_late_takes_nothing_back(self) -> None:
        """Else a key that was revoked in the meantime would be believed again."""
        world = World()
        await world.serve()
        asking = await self.wait(world, 1)
        revoked = world.issuer.keys[0].kid
        world.issuer.rotate()
        del world.issuer.keys[0]
        world.bus.holds = False
        await world.keys.load()
        world.bus.held[0].set_result(None)
        await asyncio.gather(*asking)
        assert world.verifier.kids == {world.issuer.keys[0].kid}
        assert revoked not in world.keys.jwks.decode()

    async def test_whoever_goes_away_takes_the_question_from_nobody(self) -> None:
        world = World()
        await world.serve()
        first, *others = await self.wait(world, 3)
        first.cancel()
        await asyncio.wait([first])
        world.bus.held[0].set_result(None)
        await asyncio.gather(*others)
        assert (first.cancelled(), len(world.bus.asked), world.keys.generation) == (True, 1, 1)

    async def test_it_is_put_on_nobodys_behalf(self) -> None:
        """The deadline of whoever came first is not everybody's."""
        world = World()
        await world.serve()
        with acting_for(Caller(client=Client("192.0.2.1", "tests", "")).within(0.001)):
            await world.keys.look_again()
        assert [caller for _, caller in world.bus.asked] == [ANONYMOUS]

    async def test_at_the_end_it_is_given_up(self) -> None:
        world = World()
        await world.serve()
        asking = await self.wait(world, 2)
        await world.keys.close()
        await world.keys.close()
        assert {type(one) for one in await asyncio.gather(*asking, return_exceptions=True)} == {Unavailable}
