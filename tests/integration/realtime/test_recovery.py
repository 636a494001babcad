"""What a client that comes back is told, by processes that read a real broker's stream."""

from libs.realtime import Namespace
from libs.realtime.node import Node
from tests.fixtures.log_world import SMALL, LogWorld, heard, until, world
from tests.fixtures.proxy import Proxy
from tests.unit.libs.realtime.clients import FakeClient

__all__ = ["world"]

LARGE = {
    "public": Namespace(
        subscribe=frozenset({"authenticated"}), history_size=1000, history_seconds=60, recovery=True
    ),
    "live": Namespace(subscribe=frozenset({"authenticated"})),
}


async def come_back(node: Node, offset: int) -> tuple[bool, list[int], int]:
    """A client that had read `public:a` up to ``offset``: whether it has recovered, with what, and where it is now."""
    client = FakeClient(node)
    await client.connect()
    position = {"recover": True, "epoch": node.feed.position.epoch, "offset": offset}
    result = await client.ask(subscribe={"channel": "public:a", **position})
    assert result["was_recovering"]
    missed = [one["data"]["n"] for one in result.get("publications", ())]
    return result.get("recovered", False), missed, result.get("offset", 0)


def offsets(client: FakeClient, channel: str = "public:a") -> list[int]:
    return [push["pub"]["offset"] for push in client.pushes() if "pub" in push and push["channel"] == channel]


async def test_what_was_missed_comes_once_and_nothing_that_was_read(world: LogWorld) -> None:
    await world.declare()
    channel = await world.channel()
    node, client = await world.node()
    numbers = await world.say(channel, 4, to="public:a")
    await until(lambda: heard(client) == numbers)
    other, _ = await world.node()

    for number, offset in zip(numbers, offsets(client), strict=True):
        for process in (node, other):
            recovered, missed, _ = await come_back(process, offset)
            assert (recovered, missed) == (True, numbers[numbers.index(number) + 1 :])


async def test_a_channel_that_was_quiet_for_long_is_recovered(world: LogWorld) -> None:
    await world.declare()
    channel = await world.channel()
    node, client = await world.node()
    await world.say(channel, 1, to="public:a")
    await world.say(channel, 200)
    await until(lambda: len(heard(client)) == 201)

    recovered, missed, position = await come_back(node, offsets(client)[0])

    assert (recovered, missed) == (True, [])
    assert position == node.feed.position.offset  # the position read so far


async def test_beyond_what_a_channel_keeps_a_client_is_told(world: LogWorld) -> None:
    await world.declare()
    channel = await world.channel()
    node, client = await world.node()
    numbers = await world.say(channel, 12, to="public:a")  # five are kept
    await until(lambda: heard(client) == numbers)

    read = offsets(client)
    assert (await come_back(node, read[6]))[:2] == (True, numbers[7:])
    assert (await come_back(node, read[5]))[:2] == (False, [])


async def test_from_the_first_that_a_process_has_read_on_everything_is_known(world: LogWorld) -> None:
    await world.declare()
    channel = await world.channel()
    numbers = await world.say(channel, 3, to="public:a")
    node, _ = await world.node()

    assert (await come_back(node, 0))[:2] == (True, numbers)


async def test_what_lies_before_the_first_that_a_process_has_read_is_not(world: LogWorld) -> None:
    world.log_bytes = SMALL
    await world.declare()
    channel = await world.channel()
    node, client = await world.node()
    numbers = await world.say(channel, 2, to="public:a")
    await until(lambda: heard(client) == numbers)
    for _ in range(16):  # four times what is kept
        await world.say(channel, 16, size=16_000)
        await until(lambda: node.feed.position.offset > world.said)
    later, _ = await world.node()

    read = offsets(client)[0]
    assert (await come_back(node, read))[:2] == (True, numbers[1:])  # this process has seen it all
    assert (await come_back(later, read))[:2] == (False, [])


async def test_the_bounds_of_the_window_hold_in_a_flood_and_who_is_beyond_is_told(world: LogWorld) -> None:
    bound = 1_048_576
    await world.declare()
    channel = await world.channel()
    node, client = await world.node(window_bytes=bound, namespaces=LARGE, max_pending=67_108_864)
    numbers: list[int] = []
    for _ in range(10):
        numbers += await world.say(channel, 20, to="public:a", size=16_000)
        await until(lambda: len(heard(client)) == len(numbers))  # ruff: ignore[function-uses-loop-variable] - awaited here
        assert node.feed._history.size <= bound

    read = offsets(client)
    assert (await come_back(node, read[0]))[:2] == (False, [])
    assert (await come_back(node, read[-11]))[:2] == (True, numbers[-10:])


async def test_a_client_that_is_ahead_of_a_process_is_waited_for(world: LogWorld) -> None:
    await world.declare()
    channel = await world.channel()
    async with Proxy.to(world.vhost.url) as proxy:
        ahead, client = await world.node()
        behind, _ = await world.node(through=proxy)
        proxy.delay = 2.0
        numbers = await world.say(channel, 1, to="public:a")
        await until(lambda: heard(client) == numbers)
        [offset] = offsets(client)
        assert behind.feed.position.offset < offset

        assert (await come_back(behind, offset))[:2] == (True, [])
        assert behind.feed.position.offset >= offset
        proxy.delay = 0.0
        assert ahead.feed.position.epoch == behind.feed.position.epoch


async def test_a_process_that_stays_behind_says_that_it_cannot_tell_now(world: LogWorld) -> None:
    await world.declare()
    node, _ = await world.node(catch_up=0.2)
    late = FakeClient(node)
    await late.connect()
    position = node.feed.position
    ahead = {"recover": True, "epoch": position.epoch, "offset": position.offset + 1_000}

    assert (await late.error(subscribe={"channel": "public:a", **ahead}))[0] == 100


async def test_a_publication_of_a_client_is_answered_once_it_lies_in_the_log(world: LogWorld) -> None:
    await world.declare()
    async with Proxy.to(world.vhost.url) as proxy:
        node, _ = await world.node(through=proxy)
        other, listening = await world.node()
        client = await world.client(node, "live:a")

        assert await client.ask(publish={"channel": "live:a", "data": {"n": 1}}) == {}
        await until(lambda: heard(listening) == [1])
        proxy.swallow = True  # from now on no confirm comes
        client.send({"id": 99, "publish": {"channel": "live:a", "data": {"n": 2}}})
        await until(lambda: any(one.get("id") == 99 for one in client.messages()))

        assert (await client.reply(99))["error"]["code"] == 100
        assert other.feed.ready
