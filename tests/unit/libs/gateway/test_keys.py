from __future__ import annotations

import asyncio
import json

import pytest

from libs.domain.auth import Claims
from libs.gateway import PublicKeys
from libs.infra.jwt import TokenSettings, TokenVerifier
from libs.messaging import Unavailable
from libs.messaging.memory import MemoryBus
from tests.unit.libs.gateway.door import AuthService, Issuer


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class World:
    def __init__(self) -> None:
        self.clock = Clock()
        self.bus = MemoryBus()
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


async def test_after_five_seconds_they_may_be_asked_for_again() -> None:
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
