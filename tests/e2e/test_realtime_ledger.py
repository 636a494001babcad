"""Nothing is missed: every confirmed publication reaches every client once and in order, whatever dies meanwhile."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from centrifuge import Client, PublicationContext, SubscribedContext, SubscriptionEventHandler

from libs.amqp import AmqpError, Connection, Endpoint, Properties
from libs.local import RabbitMQ
from libs.messaging.topology import REALTIME_STREAM
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.platform import ServiceProcess, auth_process, gateway_process, running, url_of
from tests.fixtures.services import SessionServices, Vhost

CHANNEL = "public:ledger"
CLIENTS_PER_GATEWAY = 20
ACCOUNT = {"email": "ann@example.com", "password": "seven green bottles"}


class Reader(SubscriptionEventHandler):  # type: ignore[misc]  # the SDK is not typed
    """What one client received, and whether it was ever told that it missed something."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.subscribed = asyncio.Event()
        self.gaps = 0

    async def on_publication(self, ctx: PublicationContext) -> None:
        self.numbers.append(ctx.pub.data["n"])

    async def on_subscribed(self, ctx: SubscribedContext) -> None:
        self.subscribed.set()
        self.gaps += ctx.was_recovering and not ctx.recovered


@dataclass
class Publisher:
    """Publishes numbers until told to stop; each is sent again under its id until it is confirmed."""

    url: str
    numbers: list[int] = field(default_factory=list)
    stopping: bool = False

    async def run(self) -> None:
        connection = await Connection.open([Endpoint.parse(self.url)], name="ledger")
        try:
            channel = await connection.channel(confirms=True)
            while not self.stopping:
                number = len(self.numbers) + 1
                headers = {"channel": CHANNEL}
                properties = Properties(
                    headers=headers, message_id=f"ledger-{number}", type="realtime.test.said"
                )
                body = json.dumps({"n": number}).encode()
                try:
                    await channel.publish_confirmed(
                        "", REALTIME_STREAM, body, properties, mandatory=True, timeout=2
                    )
                except AmqpError:
                    await asyncio.sleep(0.1)
                    continue
                self.numbers.append(number)
                await asyncio.sleep(0.02)
        finally:
            await connection.close()


class World:
    """Two gateways with their clients, and a publisher that never rests."""

    def __init__(self, gateways: list[ServiceProcess], url: str) -> None:
        self.gateways = gateways
        self.publisher = Publisher(url)
        self.readers: list[Reader] = []
        self.clients: list[Client] = []

    async def connect(self, token: str) -> None:
        for gateway in self.gateways:
            address = url_of(gateway).replace("http", "ws", 1) + "/connection/websocket"
            for _ in range(CLIENTS_PER_GATEWAY):
                client, reader = Client(address, token=token, max_reconnect_delay=1.0, proxy=None), Reader()
                await client.connect()
                await client.new_subscription(CHANNEL, events=reader, max_resubscribe_delay=1.0).subscribe()
                self.clients.append(client)
                self.readers.append(reader)
        for reader in self.readers:
            await asyncio.wait_for(reader.subscribed.wait(), 10)

    async def published(self, more: int, within: float = 60) -> None:
        """Wait until so many more were confirmed."""
        target = len(self.publisher.numbers) + more
        await until(lambda: len(self.publisher.numbers) >= target, within)

    async def settle(self) -> None:
        """Stop publishing, and wait until everybody has everything."""
        self.publisher.stopping = True
        await asyncio.sleep(0.1)
        last = self.publisher.numbers[-1]
        await until(lambda: all(reader.numbers and reader.numbers[-1] >= last for reader in self.readers), 60)


async def until(condition: Callable[[], bool], within: float) -> None:
    async with asyncio.timeout(within):
        while not condition():  # ruff: ignore[async-busy-wait] - processes far away make it true
            await asyncio.sleep(0.05)


@pytest.fixture
async def world(
    services: SessionServices, vhost: Vhost, database: MigratedDatabase, tmp_path: Path
) -> AsyncIterator[World]:
    auth = auth_process(services, vhost, database, tmp_path)
    wide = {"GATEWAY_REALTIME_MAX_CONNECTIONS_PER_USER": "1000", "GATEWAY_REALTIME_NAMESPACES": _NAMESPACES}
    gateways = [gateway_process(services, vhost, tmp_path, **wide) for _ in range(2)]
    async with AsyncExitStack() as opened:
        await opened.enter_async_context(running(auth, *gateways))
        world = World(gateways, vhost.url)
        async with httpx.AsyncClient(base_url=url_of(gateways[0]), timeout=30) as http:
            assert (await http.post("/v1/auth/register", json=ACCOUNT)).status_code == 201
            login = {"login": ACCOUNT["email"], "password": ACCOUNT["password"]}
            token = (await http.post("/v1/auth/login", json=login)).json()["access_token"]
        await world.connect(token)
        publishing = asyncio.create_task(world.publisher.run())
        yield world
        world.publisher.stopping = True
        await publishing
        for client in world.clients:
            await client.disconnect()


_NAMESPACES = json.dumps(
    {
        "public": {
            "subscribe": ["authenticated"],
            "history_size": 100_000,
            "history_seconds": 3600,
            "recovery": True,
        }
    }
)


def has_everything(world: World) -> None:
    for reader in world.readers:
        assert reader.numbers == world.publisher.numbers
        assert reader.gaps == 0


async def test_a_gateway_that_is_killed_costs_nobody_a_publication(world: World) -> None:
    await world.published(30)
    victim = world.gateways[0]

    victim.send(signal.SIGKILL)
    await victim.ended()
    await world.published(30)
    victim.start()
    await victim.ready()
    await world.published(30)

    await world.settle()
    has_everything(world)


async def test_a_broker_that_is_killed_costs_nobody_a_publication(world: World, broker: RabbitMQ) -> None:
    await world.published(30)

    await asyncio.to_thread(broker.kill)
    await asyncio.to_thread(broker.start)
    await world.published(30)

    await world.settle()
    has_everything(world)
