"""What a process knows of the log."""

import asyncio

import pytest
from prometheus_client import REGISTRY
from typing_extensions import override

from libs.realtime.channels import Channels
from libs.realtime.codes import Refused
from libs.realtime.feed import Event, Feed, Movement
from libs.realtime.hub import Hub
from libs.realtime.protocol import ClientInfo, HistoryRequest, Position, Publication
from libs.realtime.settings import Namespace

RULES = Namespace(history_size=3, history_seconds=60, recovery=True)


class Heard(Hub):
    """Remembers what was published."""

    def __init__(self) -> None:
        super().__init__(lambda callback: callback())
        self.publications: list[Publication] = []

    @override
    def publish(self, channel: str, publication: Publication) -> None:
        self.publications.append(publication)


class World:
    """A feed, and everything it touches."""

    def __init__(self) -> None:
        self.gaps = 0
        self.now = 1000.0
        self.hub = Heard()
        self.channels = Channels({"n": RULES, "live": Namespace()})
        self.feed = Feed(
            self.channels,
            self.hub,
            window_bytes=1 << 20,
            max_publication=1_800,
            max_recovery=2_000,
            on_gap=self.gap,
            most_waiting=100,
            clock=lambda: self.now,
        )

    def gap(self) -> None:
        self.gaps += 1

    def say(self, position: int, data: bytes = b"1", channel: str = "n:a", message_id: str = "") -> None:
        self.feed.add(position, Event("x.y", channel, data, message_id, at=self.now))

    def recover(self, offset: int, epoch: str = "e") -> tuple[bool, list[int]]:
        channel = self.channels.asked("n:a")
        found = self.feed.recover(channel, Position(offset, epoch))
        return found.recovered, [one.offset for one in found.publications]


def dropped(reason: str) -> float:
    return REGISTRY.get_sample_value("gatehouse_realtime_dropped_events_total", {"reason": reason}) or 0.0


@pytest.fixture
def world() -> World:
    world = World()
    world.feed.begin(10)
    world.feed.name("e")
    world.feed.caught_up()
    return world


def test_an_offset_is_a_position_plus_one(world: World) -> None:
    world.say(10)

    assert world.feed.position == Position(11, "e")
    assert [one.offset for one in world.hub.publications] == [11]


def test_a_message_that_was_sent_again_is_dropped(world: World) -> None:
    world.say(10, message_id="m")
    world.say(11, message_id="m")

    assert len(world.hub.publications) == 1
    assert world.feed.position.offset == 12


def test_a_channel_without_history_has_no_offsets(world: World) -> None:
    world.say(10, channel="live:a")

    assert [one.offset for one in world.hub.publications] == [0]


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"NaN", b'"a\nb"'])
def test_what_is_no_json_goes_to_nobody(world: World, data: bytes) -> None:
    world.say(10, data)

    assert world.hub.publications == []
    assert world.feed.position.offset == 11


def test_line_breaks_are_taken_out(world: World) -> None:
    world.say(10, b'{\r\n "a": "b\\n"\n}')

    assert world.hub.publications[0].data == b'{ "a": "b\\n"}'


def test_what_is_too_large_goes_to_nobody_and_is_counted(world: World) -> None:
    before = dropped("too large")

    world.say(10, b'"%b"' % bytes(b"x" * 1_800))

    assert world.hub.publications == []
    assert world.feed.position.offset == 11
    assert dropped("too large") == before + 1


def test_a_channel_of_no_namespace_goes_to_nobody(world: World) -> None:
    world.say(10, channel="unknown:a")

    assert world.hub.publications == []


class TestRecovery:
    def test_needs_everything_since_to_have_been_read(self, world: World) -> None:
        world.say(10)
        world.say(11)

        assert world.recover(9) == (False, [])
        assert world.recover(10) == (True, [11, 12])
        assert world.recover(11) == (True, [12])

    def test_of_a_channel_quiet_for_long_misses_nothing(self, world: World) -> None:
        world.say(10)
        for position in range(11, 200):
            world.say(position, channel="n:b")
        world.now += 3600

        assert world.recover(11) == (True, [])

    def test_is_denied_ahead_of_the_log(self, world: World) -> None:
        assert world.recover(12) == (False, [])

    def test_is_denied_when_it_would_be_too_much_at_once(self, world: World) -> None:
        world.say(10, b'"%b"' % bytes(b"x" * 1500))
        world.say(11, b'"%b"' % bytes(b"x" * 1500))

        assert world.recover(10) == (False, [])
        assert world.recover(11) == (True, [12])


class TestGaps:
    def test_another_epoch_makes_every_position_worthless(self, world: World) -> None:
        world.say(10)

        world.feed.name("another")

        assert world.gaps == 1
        assert world.recover(10, "e") == (False, [])
        assert world.recover(10, "another") == (False, [])
        assert world.recover(11, "another") == (True, [])

    def test_the_same_epoch_again_says_nothing_new(self, world: World) -> None:
        world.feed.name("e")

        assert world.gaps == 0

    def test_whoever_relies_on_a_position_is_told_once(self, world: World) -> None:
        world.feed.lose()
        world.feed.lose()

        assert world.gaps == 1
        assert not world.feed.ready

    def test_what_is_read_again_is_not_said_again(self, world: World) -> None:
        world.say(10, message_id="m")
        world.feed.lose()

        world.feed.begin(10)
        world.say(10, message_id="m")
        world.feed.name("e")
        world.feed.caught_up()

        assert len(world.hub.publications) == 1
        assert world.recover(10) == (True, [11])


class TestReach:
    async def test_waits_until_the_log_was_read_that_far(self, world: World) -> None:
        assert await world.feed.reach(10, 0)
        assert not await world.feed.reach(11, 0.001)

        waiting = [asyncio.create_task(world.feed.reach(offset, 5)) for offset in (12, 11)]
        await asyncio.sleep(0)
        world.say(10)
        await asyncio.sleep(0)
        assert [one.done() for one in waiting] == [False, True]
        world.say(11)

        assert await asyncio.gather(*waiting) == [True, True]


def test_a_history_since_another_log_cannot_be_told(world: World) -> None:
    with pytest.raises(Refused):
        world.feed.history(
            world.channels.asked("n:a"), HistoryRequest("n:a", 1, Position(1, "another")), limit=1
        )


def test_who_comes_and_goes_often_makes_no_publication_forgotten(world: World) -> None:
    world.say(10, message_id="m1")
    for position in range(11, 70_002):
        world.feed.move(position, Movement("n:a", ClientInfo("ann", "c1"), True, f"j{position}"))

    world.say(70_002, message_id="m1")  # sent again by its publisher

    assert len(world.hub.publications) == 1


async def test_who_gave_up_costs_those_who_wait_nothing(world: World) -> None:
    feed = world.feed
    assert await asyncio.gather(*(feed.reach(1 << 60, 0) for _ in range(200))) == [False] * 200

    waiting = asyncio.create_task(feed.reach(12, 30))
    await asyncio.sleep(0)
    feed.passed(11)

    assert await waiting is True
    assert len(feed._waiting) <= 100


async def test_only_so_many_wait(world: World) -> None:
    waiting = [asyncio.create_task(world.feed.reach(12, 30)) for _ in range(100)]
    await asyncio.sleep(0)

    assert await world.feed.reach(12, 30) is False

    world.feed.passed(11)
    assert all(await asyncio.gather(*waiting))
