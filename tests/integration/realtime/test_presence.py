"""Presence in a real Redis."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from libs.infra.redis import RedisConnections, RedisSettings
from libs.messaging import Unavailable
from libs.realtime import Present, RedisPresence
from libs.realtime.protocol import ClientInfo
from tests.fixtures.proxy import Proxy
from tests.fixtures.services import SessionServices
from tests.unit.libs.realtime.clients import FakeClient, new_node

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
    await presence.write(present=[ANN, BOB, ELSEWHERE])

    assert await other_gateway.clients("room:1") == {"c1": ANN.info, "c2": BOB.info}

    await presence.write(gone=[ANN])
    assert await other_gateway.clients("room:1") == {"c2": BOB.info}
    assert await other_gateway.clients("room:2") == {"c1": ELSEWHERE.info}
    assert await other_gateway.clients("room:3") == {}


async def test_who_is_not_renewed_is_gone_after_a_while(redis: RedisConnections) -> None:
    presence = RedisPresence(redis, seconds=3)  # no pause between two renewals of a busy machine is as long
    await presence.write(present=[ANN, BOB])

    async with asyncio.timeout(30):
        while "c1" in (found := await presence.clients("room:1")):
            await presence.write(present=[BOB])
            await asyncio.sleep(0.05)

    assert found == {"c2": BOB.info}


GATEWAY = """
import asyncio
from pydantic import SecretStr
from libs.infra.redis import RedisConnections, RedisSettings
from libs.realtime import RedisPresence
from tests.unit.libs.realtime.clients import FakeClient, new_node

async def main():
    redis = await RedisConnections.open(RedisSettings(url=SecretStr({url!r}), timeout=30))
    node = new_node(presence=RedisPresence(redis, seconds=3), ping_interval=1, pong_timeout=0.9)
    await node.start()
    client = FakeClient(node)
    await client.connect("carl/s3")
    await client.ask(subscribe={{"channel": "room:1"}})
    print(client.session.id, flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


async def test_the_clients_of_a_gateway_that_was_killed_are_gone_after_a_while(
    redis: RedisConnections, redis_url: str
) -> None:
    presence = RedisPresence(redis, seconds=3)
    script = GATEWAY.format(url=redis_url)
    gateway = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=PIPE)
    assert gateway.stdout is not None
    async with asyncio.timeout(30):
        client = (await gateway.stdout.readline()).decode().strip()
    await presence.write(present=[ANN])
    assert set(await presence.clients("room:1")) == {"c1", client}

    gateway.kill()
    await gateway.wait()

    async with asyncio.timeout(30):
        while client in (found := await presence.clients("room:1")):
            await presence.write(present=[ANN])
            await asyncio.sleep(0.05)
    assert found == {"c1": ANN.info}


async def test_many_ask_at_once(redis: RedisConnections) -> None:
    presence = RedisPresence(redis)
    await presence.write(present=[ANN])

    answers = await asyncio.gather(*(presence.clients("room:1") for _ in range(500)))

    assert answers == [{"c1": ANN.info}] * 500


async def test_more_come_and_go_at_once_than_there_are_connections(redis: RedisConnections) -> None:
    presence = RedisPresence(redis)
    node = new_node(presence=presence)
    await node.start()
    clients = [FakeClient(node) for _ in range(500)]
    for number, client in enumerate(clients):
        client.send(
            {"id": 1, "connect": {"token": f"u{number}/s{number}"}},
            {"id": 2, "subscribe": {"channel": "room:1"}},
        )
    for client in clients:
        await client.reply(2)
    assert len(await presence.clients("room:1")) == len(clients)

    for client in clients:
        client.session.lost()
    async with asyncio.timeout(30):
        while await presence.clients("room:1"):  # ruff: ignore[async-busy-wait]  # Redis tells nobody
            await asyncio.sleep(0.05)
    await node.stop()


async def test_redis_that_hangs_keeps_nobody_out(redis_url: str) -> None:
    async with Proxy.to(redis_url) as proxy:
        url = SecretStr(proxy.url(redis_url))
        connections = await RedisConnections.open(RedisSettings(url=url, timeout=0.2))
        node = new_node(presence=RedisPresence(connections))
        await node.start()
        client = FakeClient(node)
        await client.connect()
        proxy.swallow = True

        assert "error" not in await client.ask(subscribe={"channel": "room:1"})
        assert await client.error(presence={"channel": "room:1"}) == (100, "internal server error")

        await node.stop()
        await connections.close()


async def test_a_channel_that_everybody_left_leaves_nothing_behind(redis: RedisConnections) -> None:
    presence = RedisPresence(redis, seconds=1)
    await presence.write(present=[ANN])

    async with asyncio.timeout(30):
        # ruff: ignore[async-busy-wait]  # Redis tells nobody when a key expires
        while await redis.client.keys("gatehouse:presence:*"):
            await asyncio.sleep(0.05)


async def test_what_cannot_be_read_is_left_out(redis: RedisConnections) -> None:
    presence = RedisPresence(redis)
    await presence.write(present=[ANN])
    await redis.client.hset("gatehouse:presence:{room:1}:clients", "c9", "rubbish")

    assert await presence.clients("room:1") == {"c1": ANN.info}


async def test_without_redis_presence_is_not_available(services: SessionServices) -> None:
    nowhere = RedisConnections(RedisSettings(url=SecretStr("redis://127.0.0.1:1/0")))
    presence = RedisPresence(nowhere)

    for asked in (presence.write(present=[ANN]), presence.write(gone=[ANN]), presence.clients("room:1")):
        with pytest.raises(Unavailable):
            await asked
    await nowhere.close()
