"""Nothing is missed: 200 clients on two gateways, and a ledger of what was confirmed and what each of them received.

One platform lives through all faults, in the order of this file, while publishers run. After each fault every run of
publications that a client has must be a part of the ledger without a hole, up to its end.
"""

import asyncio
import itertools
import json
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr

from libs.amqp import Connection, Endpoint, Properties
from libs.infra.migrations import migrate, role_of
from libs.local import temporary_services
from libs.messaging.rabbitmq import RabbitBus
from libs.messaging.settings import BrokerSettings
from libs.messaging.topology import REALTIME_STREAM, realtime_log
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.ledger import AnyClient, Ledger, OfficialClient, Received, ThinClient
from tests.fixtures.platform import ServiceProcess, auth_process, gateway_process, running, url_of
from tests.fixtures.proxy import Proxy
from tests.fixtures.services import SessionServices, Vhost
from tests.fixtures.signed import SECRET, signed

pytestmark = pytest.mark.asyncio(loop_scope="module")

OFFICIAL, THIN = 60, 140
CHANNELS = [f"public:{name}" for name in ("ants", "bees", "cats", "dogs", "eels", "foxes", "gnus", "hens")]
ACCOUNT = {"email": "ann@example.com", "password": "seven green bottles"}
LOG_BYTES = 4_194_304
KEPT = {"history_size": 100_000, "history_seconds": 3600, "recovery": True}
NAMESPACES = {
    "public": {"subscribe": ["authenticated"], "presence": True, **KEPT},
    "user": {"subscribe": ["owner"], "personal": True, **KEPT},
    "flood": {"subscribe": ["authenticated"], "history_size": 1, "history_seconds": 60, "recovery": True},
}
GATEWAY = {
    "GATEWAY_REALTIME_NAMESPACES": json.dumps(NAMESPACES),
    "GATEWAY_REALTIME_TOKEN_SECRET": SECRET,
    "GATEWAY_REALTIME_MAX_CONNECTIONS_PER_USER": str(OFFICIAL),
    "GATEWAY_REALTIME_LOG_BYTES": str(LOG_BYTES),
    # 200 clients are one process here: on a busy machine it is late, and that is none of the faults.
    "GATEWAY_REALTIME_PING_INTERVAL": "60",
    "GATEWAY_REALTIME_PONG_TIMEOUT": "55",
}


@dataclass
class World:
    """Everything that the faults happen to."""

    services: SessionServices
    vhost: Vhost
    gateways: list[ServiceProcess]
    lines: list[Proxy]
    """From each gateway to RabbitMQ."""
    ledger: Ledger
    clients: list[AnyClient]

    @property
    def received(self) -> list[Received]:
        """What was received, by client and channel."""
        return [one for client in self.clients for one in client.received]

    def of(self, number: int) -> list[Received]:
        """What the clients of one gateway received."""
        address = address_of(self.gateways[number])
        return [one for client in self.clients if client.address == address for one in client.received]

    async def published(self, more: int = 50) -> None:
        """Wait until so many more were confirmed."""
        target = self.ledger.count + more
        await until(lambda: self.ledger.count >= target)

    async def settled(self) -> None:
        """Let everybody have everything, and compare."""
        await self.ledger.close()
        await until(lambda: all(one.is_up_to_date(self.ledger) for one in self.received))
        assert [fault for one in self.received if (fault := one.fault(self.ledger))] == []
        self.ledger.open()


async def until(condition: Callable[[], bool], within: float = 180) -> None:
    async with asyncio.timeout(within):
        while not condition():  # ruff: ignore[async-busy-wait] - processes far away make it true
            await asyncio.sleep(0.02)


def address_of(gateway: ServiceProcess) -> str:
    return url_of(gateway).replace("http", "ws", 1) + "/connection/websocket"


async def signed_in(gateway: ServiceProcess) -> str:
    async with httpx.AsyncClient(base_url=url_of(gateway), timeout=60) as http:
        assert (await http.post("/v1/auth/register", json=ACCOUNT)).status_code == 201
        login = {"login": ACCOUNT["email"], "password": ACCOUNT["password"]}
        token: str = (await http.post("/v1/auth/login", json=login)).json()["access_token"]
        return token


def new_clients(addresses: list[str], token: str) -> Iterator[AnyClient]:
    """Of both kinds on both gateways, each on two of the channels."""
    for number in range(OFFICIAL + THIN):
        second = number + 1 + number // len(CHANNELS) % (len(CHANNELS) - 1)
        channels = [CHANNELS[number % len(CHANNELS)], CHANNELS[second % len(CHANNELS)]]
        if number < OFFICIAL:
            yield OfficialClient(addresses[number % 2], token, channels)
        else:
            turns = itertools.cycle(addresses[number % 2 :] + addresses[: number % 2])
            yield ThinClient(turns, signed(f"thin-{number}"), [Received(channel) for channel in channels])


@pytest.fixture(scope="module")
def own_services() -> Iterator[SessionServices]:
    """Services that are killed in these tests, and that no other test uses."""
    with temporary_services("ledger") as local:
        local.start()
        yield SessionServices(local)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    own_services: SessionServices, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    folder: Path = tmp_path_factory.mktemp("ledger")
    vhost, postgres = own_services.new_vhost(), own_services.postgres
    url, owner_url = postgres.database_url("ledger"), postgres.migration_database_url("ledger")
    postgres.create_database("ledger")
    await migrate(owner_url, service_role=role_of(url))
    auth = auth_process(own_services, vhost, MigratedDatabase("ledger", url, owner_url), folder)
    async with AsyncExitStack() as opened:
        lines = [await opened.enter_async_context(Proxy.to(vhost.url)) for _ in range(2)]
        gateways = [
            gateway_process(
                own_services, vhost, folder, **GATEWAY, AMQP_URL=line.url(vhost.url_for("gateway"))
            )
            for line in lines
        ]
        await opened.enter_async_context(running(auth, *gateways))
        clients = list(new_clients([*map(address_of, gateways)], await signed_in(gateways[0])))
        for client in clients:
            opened.push_async_callback(client.stop)
        await asyncio.gather(*(client.start() for client in clients))
        world = World(own_services, vhost, gateways, lines, Ledger(CHANNELS), clients)
        await until(lambda: all(one.subscribed.is_set() for one in world.received))
        publishing = asyncio.create_task(world.ledger.publish(vhost.url))
        world.ledger.open()
        yield world
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)


async def test_a_gateway_that_is_killed(world: World) -> None:
    await world.published()
    victim = world.gateways[0]

    victim.send(signal.SIGKILL)
    await victim.ended()
    await world.published()
    victim.start()
    await victim.ready()
    await world.published()

    await world.settled()
    assert sum(one.gaps for one in world.received) == 0


async def test_a_broker_that_is_restarted(world: World) -> None:
    await world.published()

    await asyncio.to_thread(world.services.rabbitmq.restart)
    await world.published()

    await world.settled()
    assert sum(one.gaps for one in world.received) == 0


async def test_a_broker_that_is_killed(world: World) -> None:
    await world.published()

    broker = world.services.rabbitmq
    await asyncio.to_thread(broker.kill)
    await asyncio.to_thread(broker.start)
    await world.published()

    await world.settled()
    assert sum(one.gaps for one in world.received) == 0


async def test_the_line_to_the_broker_is_cut_and_then_a_black_hole(world: World) -> None:
    await world.published()

    for line in world.lines:
        line.cut()
        line.swallow = True
    await asyncio.sleep(30)
    for line in world.lines:
        line.swallow = False
        line.cut()
    await world.published()

    await world.settled()
    assert sum(one.gaps for one in world.received) == 0


async def test_redis_is_restarted_while_clients_come_back(world: World) -> None:
    await world.published()

    redis = world.services.redis
    await asyncio.to_thread(redis.stop)
    for client in world.clients:
        if isinstance(client, ThinClient):
            client.drop()
    await world.published()
    await asyncio.to_thread(redis.start)
    await world.published()

    await world.settled()
    assert sum(one.gaps for one in world.received) == 0


async def test_a_log_that_is_truncated_below_a_lagging_gateway_is_told_to_its_clients_alone(
    world: World,
) -> None:
    await world.published()
    lagging, others = world.of(0), world.of(1)

    world.lines[0].refuse = True
    world.lines[0].cut()
    await flood(world, 3 * LOG_BYTES)
    world.lines[0].refuse = False
    await until(lambda: all(one.gaps for one in lagging))
    await world.published()

    await world.settled()
    assert len(lagging) > 100
    assert [one.gaps for one in lagging] == [1] * len(lagging)
    assert sum(one.gaps for one in others) == 0


async def test_a_log_that_is_made_anew_is_told_to_everybody(world: World) -> None:
    await world.published()
    before = [one.gaps for one in world.received]

    await made_anew(world.vhost.url)
    await until(lambda: all(one.gaps > gaps for one, gaps in zip(world.received, before, strict=True)))
    await world.published()

    await world.settled()


async def flood(world: World, size: int) -> None:
    """Fill the log no faster than the second gateway reads it."""
    reader = ThinClient(
        itertools.repeat(address_of(world.gateways[1])), signed("flood"), [Received("flood:all")]
    )
    await reader.start()
    [received] = reader.received
    await until(received.subscribed.is_set)
    connection = await Connection.open([Endpoint.parse(world.vhost.url)], name="flood")
    channel = await connection.channel(confirms=True)
    properties = Properties(headers={"channel": "flood:all"}, type="realtime.test.flooded")
    for number in range(size // 65_536):
        body = json.dumps({"id": str(number), "filling": "x" * 65_536}).encode()
        await channel.publish_confirmed("", REALTIME_STREAM, body, properties, mandatory=True)
        await until(lambda: len(received.runs[0]) > number - 4)  # ruff: ignore[function-uses-loop-variable] - awaited here
    await connection.close()
    await reader.stop()


async def made_anew(url: str) -> None:
    """Delete the log and declare it again."""
    bus = await RabbitBus.open(BrokerSettings(url=SecretStr(url)), name="operator")
    connection = await Connection.open([Endpoint.parse(url)], name="operator")
    await (await connection.channel()).delete_queue(REALTIME_STREAM)
    await bus.declare(realtime_log(max_bytes=LOG_BYTES))
    await connection.close()
    await bus.close()
