"""The rules by which a process believes what it reads from the stream, each against a real broker."""

import asyncio

from libs.amqp import Properties
from libs.messaging.topology import REALTIME_STREAM
from libs.realtime import StreamLog
from libs.realtime.node import Node
from libs.realtime.protocol import HistoryRequest
from libs.realtime.records import Mark
from tests.fixtures.log_world import SMALL, LogWorld, heard, told_of_gaps, until, world
from tests.fixtures.proxy import Proxy
from tests.unit.libs.realtime.clients import NAMESPACES, FakeClient

__all__ = ["world"]


def knows_its_name(node: Node) -> bool:
    """Whether a process has read the epoch repeated, which it was perhaps before anybody looked."""
    assert isinstance(node.log, StreamLog)
    return node.log._reader is not None and node.log._reader._confirmed


async def test_who_starts_later_knows_that_a_quiet_channel_was_quiet(world: LogWorld) -> None:
    world.namespaces = {
        name: rules.model_copy(update={"history_seconds": 1}) if rules.keeps_history else rules
        for name, rules in NAMESPACES.items()
    }
    world.reader = {"patience": 1.0, "longest_repeat": 0.5}
    await world.declare()
    channel = await world.channel()
    first, _ = await world.node()
    seen = await world.client(first, "public:quiet")
    await world.say(channel, 1, to="public:quiet")
    await until(lambda: len(heard(seen)) == 1)
    [last] = [one["pub"]["offset"] for one in seen.pushes() if "pub" in one]
    await asyncio.sleep(6)  # longer than any history, and than what else is read of the tail

    second, _ = await world.node()
    world.reader["older"] = 0
    third, _ = await world.node()

    async def told(node: Node, offset: int) -> object:
        client = await world.client(node)
        position = {"recover": True, "offset": offset, "epoch": node.feed.position.epoch}
        result = await client.ask(subscribe={"channel": "public:quiet", **position})
        assert result["was_recovering"] is True
        return result.get("recovered", False)

    assert await told(second, last) is True
    assert await told(second, last - 1) is False  # it missed one, which nobody has any more
    assert await told(third, last) is False  # for which that was too long ago


async def test_who_starts_later_has_what_lies_in_the_tail(world: LogWorld) -> None:
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


async def test_processes_that_start_at_once_agree_on_the_epoch(world: LogWorld) -> None:
    await world.declare()

    nodes = await asyncio.gather(*(world.node() for _ in range(4)))
    channel = await world.channel()
    numbers = await world.say(channel, 5)
    await until(lambda: all(heard(client) == numbers for _, client in nodes))

    assert len({node.feed.position.epoch for node, _ in nodes}) == 1
    assert [told_of_gaps(client) for _, client in nodes] == [0] * 4


async def test_after_the_line_was_cut_reading_goes_on_where_it_was(world: LogWorld) -> None:
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


async def test_after_a_black_hole_reading_goes_on_where_it_was(world: LogWorld) -> None:
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


async def test_a_segment_that_is_rolled_over_is_no_gap(world: LogWorld) -> None:
    world.log_bytes = SMALL
    await world.declare()
    channel = await world.channel()
    node, client = await world.node()

    numbers = await world.say(channel, 40, size=16_000)  # five segments

    await until(lambda: len(heard(client)) == len(numbers))
    assert heard(client) == numbers
    assert node.feed.position.offset > len(numbers) + 3  # roll-overs have used positions up
    assert told_of_gaps(client) == 0


async def test_truncation_below_a_lagging_reader_is_told(world: LogWorld) -> None:
    world.log_bytes = SMALL
    await world.declare()
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
        result = await again.ask(subscribe={"channel": "public:a", **recover})
        assert (result["was_recovering"], result.get("recovered")) == (True, None)
        await again.ask(subscribe={"channel": "live:a"})
        [number] = await world.say(channel, 1)
        await until(lambda: heard(again) == [number])


async def test_a_stream_that_was_made_anew_is_another_log(world: LogWorld) -> None:
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


async def test_an_epoch_that_a_stranger_names_is_not_believed(world: LogWorld) -> None:
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


async def test_the_epoch_is_repeated_for_who_starts_later(world: LogWorld) -> None:
    world.reader = {"longest_repeat": 0.1}
    await world.declare()
    node, _ = await world.node()
    before = node.feed.position

    await until(lambda: node.feed.position.offset > before.offset)

    assert node.feed.position.epoch == before.epoch


async def test_a_log_without_a_name_gets_one_from_its_first_reader(world: LogWorld) -> None:
    await world.declare()
    channel = await world.channel()
    await world.say(channel, 3, to="public:a")

    first, _ = await world.node()
    second, _ = await world.node()

    assert first.feed.position.epoch
    assert second.feed.position.epoch == first.feed.position.epoch
    request = HistoryRequest("public:a")
    assert len(first.feed.history(first.channels.asked("public:a"), request, limit=10)) == 3


async def test_a_process_is_ready_once_it_has_read_all_that_lay_there(world: LogWorld) -> None:
    await world.declare()
    channel = await world.channel()
    await world.say(channel, 500)

    node, _ = await world.node()  # it starts by a mark of its own, which lies behind them

    assert node.feed.ready
    assert node.feed.position.offset > 500


async def test_a_flood_leaves_the_epoch_in_the_log(world: LogWorld) -> None:
    world.log_bytes = SMALL
    await world.declare()
    channel = await world.channel()
    node, client = await world.node()
    before = node.feed.position
    for _ in range(16):  # four times what is kept, as fast as it is read
        numbers = await world.say(channel, 16, size=16_000)
        await until(lambda: heard(client)[-1:] == numbers[-1:])  # ruff: ignore[function-uses-loop-variable] - awaited here

    later, _ = await world.node()

    assert later.feed.position.epoch == before.epoch
    assert told_of_gaps(client) == 0


async def test_a_name_that_somebody_gives_who_found_none_is_contradicted(world: LogWorld) -> None:
    await world.declare()
    channel = await world.channel()
    node, client = await world.node()
    before = node.feed.position
    await until(lambda: knows_its_name(node))

    await world.mark(Mark("declared", "other"))
    later, newcomer = await world.node()
    numbers = await world.say(channel, 1)

    await until(lambda: heard(client) == heard(newcomer) == numbers)
    assert later.feed.position.epoch == node.feed.position.epoch == before.epoch
    assert told_of_gaps(client) == 0


async def test_a_name_of_another_log_that_comes_late_is_not_believed(world: LogWorld) -> None:
    await world.declare()
    channel = await world.channel()
    node, client = await world.node()
    before = node.feed.position
    await until(lambda: knows_its_name(node))

    await world.mark(Mark("repeated", "former", read=0))  # a gateway that has not noticed yet
    numbers = await world.say(channel, 1)

    await until(lambda: heard(client) == numbers)
    assert node.feed.position.epoch == before.epoch
    assert told_of_gaps(client) == 0


async def test_a_log_made_anew_that_is_longer_already_is_another_log(world: LogWorld) -> None:
    await world.declare()
    channel = await world.channel()
    async with Proxy.to(world.vhost.url) as proxy:
        node, client = await world.node(through=proxy)
        numbers = await world.say(channel, 5)
        await until(lambda: heard(client) == numbers)
        before = node.feed.position

        proxy.refuse = True
        proxy.cut()
        await channel.delete_queue(REALTIME_STREAM)
        await world.declare()
        await world.say(channel, 50)
        proxy.refuse = False

        await until(lambda: told_of_gaps(client) > 0)
        await until(lambda: node.feed.ready)
        assert node.feed.position.epoch not in {"", before.epoch}
        assert heard(client) == numbers  # nothing of the other log came as if it followed


async def test_a_quiet_log_is_no_lost_log(world: LogWorld) -> None:
    world.reader = {"patience": 0.5}
    await world.declare()
    channel = await world.channel()
    async with Proxy.to(world.vhost.url) as proxy:
        node, client = await world.node(through=proxy)
        proxy.delay = 1.0  # whatever must come is late, so the reader probes

        numbers = await world.say(channel, 3)
        await until(lambda: heard(client) == numbers)
        proxy.delay = 0.0
        numbers += await world.say(channel, 3)

        await until(lambda: heard(client) == numbers)
        assert told_of_gaps(client) == 0
        assert node.feed.ready
