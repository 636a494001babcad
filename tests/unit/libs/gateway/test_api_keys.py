from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest

from libs.domain.auth import VALIDATE_API_KEY, ApiKeyValidation, TokenInvalid, ValidateApiKeyRequest
from libs.gateway import ApiKeyCacheSettings, ApiKeys
from libs.messaging import Caller, Handlers, Unavailable
from libs.messaging.memory import MemoryBus

START = 1_800_000_000.0
KEY = "ghk_" + "0" * 32 + "_" + "a" * 43
OTHER = "ghk_" + "1" * 32 + "_" + "a" * 43


class World:
    """An auth service that knows one key, and counts how often it is asked."""

    def __init__(self, *, size: int = 10, lifetime: float = 3600) -> None:
        self.now = START
        self.asked = 0
        self.active = True
        self.ends = datetime.fromtimestamp(START + lifetime, UTC)
        self.key_id = uuid.uuid4()
        self.bus = MemoryBus()
        self.keys = ApiKeys(self.bus, ApiKeyCacheSettings(size=size), now=lambda: self.now)

    async def serve(self) -> None:
        table = Handlers("auth")
        table.on(VALIDATE_API_KEY, self.validate)
        await self.bus.serve(table)

    async def validate(self, request: ValidateApiKeyRequest, _caller: Caller) -> ApiKeyValidation:
        self.asked += 1
        if not self.active:
            return ApiKeyValidation(active=False)
        return ApiKeyValidation(
            active=True, id=self.key_id, account_id=uuid.uuid4(), scope="notes:read", expires_at=self.ends
        )


@pytest.fixture
async def world() -> World:
    made = World()
    await made.serve()
    return made


async def test_a_key_is_known_by_its_prefix(world: World) -> None:
    assert world.keys.recognises(KEY)
    assert not world.keys.recognises("eyJhbGciOiJFUzI1NiJ9.e30.x")


async def test_its_bearer_is_a_program_of_an_account(world: World) -> None:
    bearer = await world.keys.believe(KEY)
    assert (bearer.identity.kind, bearer.identity.sid) == ("api_key", str(world.key_id))
    assert bearer.identity.scopes == {"notes:read"}
    assert bearer.expires == START + 600


async def test_it_is_asked_about_once_a_minute(world: World) -> None:
    for seconds in (0, 59.9, 0.1):
        world.now += seconds
        await world.keys.believe(KEY)
    assert world.asked == 2


async def test_a_revoked_key_is_asked_about_again_at_once(world: World) -> None:
    await world.keys.believe(KEY)
    world.active = False
    world.keys.forget(str(world.key_id))
    with pytest.raises(TokenInvalid):
        await world.keys.believe(KEY)


async def test_a_key_that_expires_meanwhile_is_not_believed_from_memory() -> None:
    world = World(lifetime=30)
    await world.serve()
    assert (await world.keys.believe(KEY)).expires == START + 30
    world.now += 30
    world.active = False
    with pytest.raises(TokenInvalid):
        await world.keys.believe(KEY)


@pytest.mark.parametrize(
    "noise", ["ghk_", KEY[:-1], KEY + "a", KEY.replace("0", "g"), KEY + "\n", KEY.upper()]
)
async def test_what_is_no_key_is_refused_without_asking(world: World, noise: str) -> None:
    with pytest.raises(TokenInvalid):
        await world.keys.believe(noise)
    assert world.asked == 0


async def test_no_more_are_remembered_than_allowed() -> None:
    world = World(size=1)
    await world.serve()
    for key in (KEY, OTHER, KEY):
        await world.keys.believe(key)
    assert world.asked == 3


async def test_an_auth_service_that_is_away_is_told() -> None:
    with pytest.raises(Unavailable):
        await World().keys.believe(KEY)
