"""The door to Redis against a real server."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from pydantic import SecretStr

from libs.infra.redis import RedisAway, RedisConnections, RedisSettings
from tests.fixtures.accounts import eventually
from tests.fixtures.proxy import Proxy


def settings(url: str, timeout: float = 30) -> RedisSettings:
    return RedisSettings.model_validate({"url": SecretStr(url), "timeout": timeout})


async def test_it_answers(redis_url: str) -> None:
    connections = await RedisConnections.open(settings(redis_url))
    await connections.client.set("name", "ann")
    assert await connections.client.get("name") == "ann"
    await connections.close()


async def test_a_server_that_is_not_there_is_away() -> None:
    with pytest.raises(RedisAway):
        await RedisConnections.open(settings("redis://127.0.0.1:1/0"))


async def test_a_silent_server_is_away_within_the_bound(redis_url: str) -> None:
    async with Proxy.to(redis_url) as proxy:
        connections = await RedisConnections.open(settings(proxy.url(redis_url), timeout=0.2))
        proxy.swallow = True
        async with asyncio.timeout(30):
            with pytest.raises(RedisAway):
                await connections.check()
        proxy.swallow = False

        async def answers() -> bool:
            with suppress(RedisAway):
                await connections.check()
                return True
            return False

        await eventually(answers)
        await connections.close()


def test_the_password_is_not_printed() -> None:
    assert "topsecret" not in repr(settings("redis://:topsecret@127.0.0.1/0"))
