from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime

import pytest

from libs.domain.auth import VALIDATE_API_KEY, ApiKeyValidation, TokenInvalid, ValidateApiKeyRequest
from libs.gateway import ApiKeyCacheSettings, ApiKeys
from libs.messaging import AppError, Caller, Handlers, Overloaded, Unavailable
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
        self.away: AppError | None = None
        self.hears = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()
        self.ends = datetime.fromtimestamp(START + lifetime, UTC)
        self.key_id = uuid.uuid4()
        self.bus = MemoryBus()
        self.keys = ApiKeys(self.bus, ApiKeyCacheSettings(size=size), now=lambda: self.now)

    async def serve(self) -> None:
        table = Handlers("auth")
        table.on(VALIDATE_API_KEY, self.validate)
        await self.bus.serve(table)

    async def refuses(self, key: str = KEY) -> None:
        with pytest.raises(TokenInvalid):
            await self.keys.believe(key)

    async def asking(self) -> None:
        """Wait until the service is being asked."""
        await asyncio.wait_for(self.hears.wait(), 30)

    async def validate(self, request: ValidateApiKeyRequest, _caller: Caller) -> ApiKeyValidation:
        self.asked += 1
        self.hears.set()
        await self.answers.wait()
        if self.away is not None:
            raise self.away
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


class TestRefused:
    async def test_a_refused_key_is_asked_about_once_a_minute(self, world: World) -> None:
        world.active = False
        for seconds in (0, 59.9, 0.1):
            world.now += seconds
            await world.refuses()
        assert world.asked == 2

    async def test_bad_keys_push_out_bad_keys_only(self) -> None:
        world = World(size=1)
        await world.serve()
        await world.keys.believe(KEY)
        world.active = False
        for digit in "123":
            await world.refuses(OTHER.replace("1", digit))
        world.active = True
        await world.keys.believe(KEY)
        assert world.asked == 4

    async def test_the_key_that_comes_again_and_again_is_remembered_longest(self) -> None:
        world = World(size=2)
        world.active = False
        await world.serve()
        for digit in "12345":
            await world.refuses(KEY)
            await world.refuses(OTHER.replace("1", digit))
        assert world.asked == 6

    @pytest.mark.parametrize("error", [Overloaded(), Unavailable()])
    async def test_an_auth_service_that_cannot_answer_has_refused_nothing(
        self, world: World, error: AppError
    ) -> None:
        world.away = error
        with pytest.raises(type(error)):
            await world.keys.believe(KEY)
        world.away = None
        assert (await world.keys.believe(KEY)).identity.sid == str(world.key_id)

    async def test_where_nothing_is_to_be_remembered_no_refusal_is(self) -> None:
        world = World(size=0)
        world.active = False
        await world.serve()
        await world.refuses()
        await world.refuses()
        assert world.asked == 2


class TestManyAtOnce:
    @pytest.mark.parametrize("active", [True, False])
    async def test_they_cost_one_question(self, world: World, active: bool) -> None:
        world.active = active
        world.answers.clear()
        many = [asyncio.create_task(world.keys.believe(KEY)) for _ in range(50)]
        await world.asking()
        world.answers.set()
        answers = await asyncio.gather(*many, return_exceptions=True)
        assert world.asked == 1
        assert sum(isinstance(one, TokenInvalid) for one in answers) == (0 if active else 50)

    async def test_all_are_told_that_nobody_answers(self, world: World) -> None:
        world.away = Overloaded()
        world.answers.clear()
        many = [asyncio.create_task(world.keys.believe(KEY)) for _ in range(50)]
        await world.asking()
        world.answers.set()
        answers = await asyncio.gather(*many, return_exceptions=True)
        assert world.asked == 1
        assert all(isinstance(one, Overloaded) for one in answers)

    async def test_who_goes_away_takes_nobody_along(self, world: World) -> None:
        world.answers.clear()
        many = [asyncio.create_task(world.keys.believe(KEY)) for _ in range(3)]
        await world.asking()
        many[0].cancel()  # it asked
        many[2].cancel()  # it waited
        world.answers.set()
        gone, told, left = await asyncio.gather(*many, return_exceptions=True)
        assert isinstance(gone, asyncio.CancelledError)
        assert isinstance(left, asyncio.CancelledError)
        assert not isinstance(told, BaseException)
        assert told.identity.sid == str(world.key_id)


async def test_an_auth_service_that_is_away_is_told() -> None:
    with pytest.raises(Unavailable):
        await World().keys.believe(KEY)
