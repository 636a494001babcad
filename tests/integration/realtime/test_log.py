"""The rules by which a process believes what it reads from the stream, each against a real broker."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
from pydantic import SecretStr

from libs.amqp import Channel, Connection, Endpoint, Properties
from libs.messaging.rabbitmq import RabbitBus
from libs.messaging.settings import BrokerSettings
from libs.messaging.topology import REALTIME_STREAM, realtime_log
from libs.realtime import RealtimeSettings, StreamLog
from libs.realtime.node import Node
from libs.realtime.protocol import HistoryRequest
from tests.fixtures.proxy import Proxy
from tests.fixtures.services import Vhost
from tests.unit.libs.realtime.clients import NAMESPACES, FakeClient, new_node

SETTINGS = RealtimeSettings(namespaces=NAMESPACES)
SMALL = 1_048_576  # bytes that the smaller logs of these tests keep; an eighth of it is a segment


class World:
    """Processes that read one stream, each with a client that hears `public:a` and `live:a`."""

    def __init__(self, vhost: Vhost, opened: AsyncExitStack) -> None:
        self.vhost = vhost
        self._opened = opened
        self._sent = 0

    async def declare(self, *, max_bytes: int = 1 << 30) -> None:
        bus = await RabbitBus.open(self._broker(self.vhost.url), name="declaring")
        await bus.declare(realtime_log(max_bytes=max_bytes))
        await bus.close()

    async def node(self, *, through: Proxy | None = None) -> tuple[Node, FakeClient]:
        url = self.vhost.url_for("gateway")
        log = StreamLog(self._broker(through.url(url) if through else url), SETTINGS)
        node = new_node(log=log)
        self._opened.push_async_callback(node.stop)
        await node.start()
        client = FakeClient(node)
        await client.connect()
        for channel in ("public:a", "live:a"):
            await client.ask(subscribe={"channel": channel})
        return node, client

    async def channel(self) -> Channel:
        connection = await Connection.open([Endpoint.parse(self.vhost.url)], name="anybody")
        self._opened.push_async_callback(connection.close)
        return await connection.channel(confirms=True)

    async def say(self, channel: Channel, count: int, *, to: str = "live:a", size: int = 0) -> list[int]:
        """Publish numbered events, confirmed; the numbers."""
        numbers = list(range(self._sent + 1, self._sent + count + 1))
        self._sent += count
        for number in numbers:
            body = b'{"n":%d,"filling":"%b"}' % (number, b"x" * size)
            properties = Properties(headers={"channel": to}, message_id=f"m{number}")
            await channel.publish_confirmed("", REALTIME_STREAM, body, properties, mandatory=True)
        return numbers

    @staticmethod
    def _broker(url: str) -> BrokerSettings:
        return BrokerSettings(url=SecretStr(url))


@pytest.fixture
async def world(vhost: Vhost) -> AsyncIterator[World]:
    async with AsyncExitStack() as opened:
        yield World(vhost, opened)


def heard(client: FakeClient) -> list[int]:
    return [one["n"] for one in client.publications()]


def told_of_gaps(client: FakeClient) -> int:
    return sum("unsubscribe" in push for push in client.pushes()) + (client.closed is not None)


async def until(condition: Callable[[], bool], within: float = 30) -> None:
    async with asyncio.timeout(within):
        while not condition():  # ruff: ignore[async-busy-wait] - a broker far away makes it true
            await asyncio.sleep(0.02)


async def test_who_starts_later_has_what_lies_in_the_tail(world: World) -> None:
    await world.declare()
    first, _ = await world.node()
    channel = await world.channel()
    await world.say(channel, 3, to="public:a")

    second, _ = await world.node()

    assert second.feed.position.epoch == first.feed.position.epoch
    histories = [
        node.feed.history(node.channels.asked("public:a"), HistoryRequest("public:a"), limit=10)
        for node in (first, second)
    ]
    assert len(histories[0]) == 3
    assert histories[0] == histories[1]


async def test_processes_that_start_at_once_agree_on_the_epoch(world: World) -> None:
    await world.declare()

    nodes = await asyncio.gather(*(world.node() for _ in range(4)))
    channel = await world.channel()
    numbers = await world.say(channel, 5)
    await until(lambda: all(heard(client) == numbers for _, client in nodes))

    assert len({node.feed.position.epoch for node, _ in nodes}) == 1
    assert [told_of_gaps(client) for _, client in nodes] == [0] * 4


async def test_after_the_line_was_cut_reading_goes_on_where_it_was(world: World) -> None:
    await world.declare()
    channel = await world.channel()
    async with Proxy.to(world.vhost.url) as proxy:
        _, client = await world.node(through=proxy)
        numbers = await world.say(channel, 5)

        proxy.refuse = True
        proxy.cut()
        numbers += await world.say(channel, 50)
        proxy.refuse = False

        await until(lambda: heard(client) == numbers)
        assert told_of_gaps(client) == 0


async def test_after_a_black_hole_reading_goes_on_where_it_was(world: World) -> None:
    await world.declare()
    channel = await world.channel()
    async with Proxy.to(world.vhost.url) as proxy:
        node, client = await world.node(through=proxy)

        proxy.swallow = True
        numbers = await world.say(channel, 20)
        await asyncio.sleep(0.5)
        proxy.swallow = False
        proxy.cut()

        await until(lambda: heard(client) == numbers)
        assert told_of_gaps(client) == 0
        await node.log.check()


async def test_a_segment_that_is_rolled_over_is_no_gap(world: World) -> None:
    await world.declare(max_bytes=SMALL)
    channel = await world.channel()
    node, client = await world.node()

    numbers = await world.say(channel, 40, size=16_000)  # five segments

    await until(lambda: len(heard(client)) == len(numbers))
    assert heard(client) == numbers
    assert node.feed.position.offset > len(numbers) + 3  # roll-overs have used positions up
    assert told_of_gaps(client) == 0


async def test_truncation_below_a_lagging_reader_is_told(world: World) -> None:
    await world.declare(max_bytes=SMALL)
    channel = await world.channel()
    async with Proxy.to(world.vhost.url) as proxy:
        node, client = await world.node(through=proxy)
        await world.say(channel, 1)
        epoch = node.feed.position.epoch

        proxy.refuse = True
        proxy.cut()
        await world.say(channel, 300, size=16_000)  # four times what is kept
        proxy.refuse = False

        await until(lambda: told_of_gaps(client) > 0)
        assert await client.until_closed() == (3010, "insufficient state")
        await until(lambda: node.feed.ready)
        again = FakeClient(node)
        await again.connect()
        recover = {"recover": True, "offset": 3, "epoch": epoch}
        assert "recovered" not in await again.ask(subscribe={"channel": "public:a", **recover})
        await again.ask(subscribe={"channel": "live:a"})
        [number] = await world.say(channel, 1)
        await until(lambda: heard(again) == [number])


async def test_a_stream_that_was_made_anew_is_another_log(world: World) -> None:
    await world.declare()
    channel = await world.channel()
    node, client = await world.node()
    await world.say(channel, 20)
    before = node.feed.position

    await channel.delete_queue(REALTIME_STREAM)
    await world.declare()

    await until(lambda: node.feed.ready and node.feed.position.epoch != before.epoch)
    assert told_of_gaps(client) > 0
    again = FakeClient(node)
    await again.connect()
    recover = {"recover": True, "offset": before.offset, "epoch": before.epoch}
    result = await again.ask(subscribe={"channel": "public:a", **recover})
    assert (result["was_recovering"], result.get("recovered")) == (True, None)
    [number] = await world.say(channel, 1, to="public:a")
    await until(lambda: heard(again) == [number])


async def test_an_epoch_that_a_stranger_names_is_not_believed(world: World) -> None:
    await world.declare()
    node, client = await world.node()
    epoch = node.feed.position.epoch
    channel = await world.channel()

    forged = Properties(type="realtime.log.mark", headers={"epoch": "forged", "read": 0}, message_id="f")
    await channel.publish_confirmed("", REALTIME_STREAM, b"{}", forged, mandatory=True)
    numbers = await world.say(channel, 1)

    await until(lambda: heard(client) == numbers)
    assert node.feed.position.epoch == epoch
    assert told_of_gaps(client) == 0


async def test_the_epoch_is_repeated_for_who_starts_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libs.realtime.stream_reader._LONGEST_REPEAT", 0.1)
    await world.declare()
    node, _ = await world.node()
    before = node.feed.position

    await until(lambda: node.feed.position.offset > before.offset)

    assert node.feed.position.epoch == before.epoch
