"""Presence in a real Redis."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from libs.infra.redis import RedisConnections, RedisSettings
from libs.messaging import Unavailable
from libs.realtime import Present, RedisPresence
from libs.realtime.protocol import ClientInfo
from tests.fixtures.services import SessionServices

ANN = Present("room:1", ClientInfo("ann", "c1", conn_info=b'{"n":1}'))
BOB = Present("room:1", ClientInfo("bob", "c2"))
ELSEWHERE = Present("room:2", ClientInfo("ann", "c1"))


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisConnections]:
    connections = await RedisConnections.open(RedisSettings(url=SecretStr(redis_url), timeout=30))
    yield connections
    await connections.close()


async def test_who_is_entered_is_found_until_removed(redis: RedisConnections) -> None:
    presence, other_gateway = RedisPresence(redis), RedisPresence(redis)
    await presence.renew([ANN, BOB, ELSEWHERE])

    assert await other_gateway.clients("room:1") == {"c1": ANN.info, "c2": BOB.info}

    await presence.remove([ANN])
    assert await other_gateway.clients("room:1") == {"c2": BOB.info}
    assert await other_gateway.clients("room:2") == {"c1": ELSEWHERE.info}
    assert await other_gateway.clients("room:3") == {}


async def test_who_is_not_renewed_is_gone_after_a_while(redis: RedisConnections) -> None:
    presence = RedisPresence(redis, seconds=3)  # no pause between two renewals of a busy machine is as long
    await presence.renew([ANN, BOB])

    async with asyncio.timeout(30):
        while "c1" in (found := await presence.clients("room:1")):
            await presence.renew([BOB])
            await asyncio.sleep(0.05)

    assert found == {"c2": BOB.info}


async def test_a_channel_that_everybody_left_leaves_nothing_behind(redis: RedisConnections) -> None:
    presence = RedisPresence(redis, seconds=1)
    await presence.renew([ANN])

    async with asyncio.timeout(30):
        # ruff: ignore[async-busy-wait]  # Redis tells nobody when a key expires
        while await redis.client.keys("gatehouse:presence:*"):
            await asyncio.sleep(0.05)


async def test_what_cannot_be_read_is_left_out(redis: RedisConnections) -> None:
    presence = RedisPresence(redis)
    await presence.renew([ANN])
    await redis.client.hset("gatehouse:presence:{room:1}:clients", "c9", "rubbish")

    assert await presence.clients("room:1") == {"c1": ANN.info}


async def test_without_redis_presence_is_not_available(services: SessionServices) -> None:
    nowhere = RedisConnections(RedisSettings(url=SecretStr("redis://127.0.0.1:1/0")))
    presence = RedisPresence(nowhere)

    for asked in (presence.renew([ANN]), presence.remove([ANN]), presence.clients("room:1")):
        with pytest.raises(Unavailable):
            await asked
    await nowhere.close()
