"""Who is there, and who comes and goes, as clients see it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest
from typing_extensions import override

from libs.messaging import Unavailable
from libs.realtime.attendance import Attendance
from libs.realtime.node import Node
from libs.realtime.ports import Presence, Present
from libs.realtime.protocol import ClientInfo
from tests.unit.libs.realtime.clients import FakeClient, new_node


class Remembered(Presence):
    """Presence without Redis; ``away`` as when Redis is, and held up while it is ``busy``."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], ClientInfo] = {}
        self.batches: list[int] = []
        self.away = False
        self.idle = asyncio.Event()
        self.idle.set()
        self.writing = 0

    @override
    async def write(self, *, present: Sequence[Present] = (), gone: Sequence[Present] = ()) -> None:
        self._check()
        self.batches.append(len(present) + len(gone))
        self.writing += 1
        assert self.writing == 1  # one batch at a time
        await self.idle.wait()
        self.writing -= 1
        self.entries.update({(one.channel, one.info.client): one.info for one in present})
        for one in gone:
            self.entries.pop((one.channel, one.info.client), None)

    @override
    async def clients(self, channel: str) -> Mapping[str, ClientInfo]:
        self._check()
        return {client: info for (name, client), info in self.entries.items() if name == channel}

    def _check(self) -> None:
        if self.away:
            raise Unavailable


@pytest.fixture
def presence() -> Remembered:
    return Remembered()


@pytest.fixture
async def node(presence: Remembered) -> AsyncIterator[Node]:
    node = new_node(presence=presence)
    await node.start()
    yield node
    await node.stop()


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_subscribers_see_one_another(ann: FakeClient, bob: FakeClient) -> None:
    for client in (ann, bob):
        await client.ask(subscribe={"channel": "room:1"})

    assert await ann.ask(presence={"channel": "room:1"}) == {
        "presence": {
            ann.session.id: {"user": "ann", "client": ann.session.id},
            bob.session.id: {"user": "bob", "client": bob.session.id},
        }
    }
    assert await ann.ask(presence_stats={"channel": "room:1"}) == {"num_clients": 2, "num_users": 2}


async def test_who_leaves_is_gone(ann: FakeClient, bob: FakeClient) -> None:
    for client in (ann, bob):
        await client.ask(subscribe={"channel": "room:1"})

    bob.session.lost()
    await turns()

    assert await ann.ask(presence_stats={"channel": "room:1"}) == {"num_clients": 1, "num_users": 1}


async def test_entries_are_renewed_with_the_pings_many_at_once(
    presence: Remembered, ann: FakeClient, bob: FakeClient
) -> None:
    for client in (ann, bob):
        await client.ask(subscribe={"channel": "room:1"})
    presence.entries.clear()
    presence.batches.clear()

    ann.session.beat()
    bob.session.beat()
    await turns()

    assert len(presence.entries) == 2
    assert presence.batches == [2]


@pytest.mark.parametrize(
    ("channel", "error"),
    [("room:other", (103, "permission denied")), ("public:a", (108, "not available"))],
)
@pytest.mark.parametrize("command", ["presence", "presence_stats"])
async def test_presence_is_for_subscribers_where_there_is_some(
    ann: FakeClient, command: str, channel: str, error: tuple[int, str]
) -> None:
    await ann.ask(subscribe={"channel": "public:a"})

    assert await ann.error(**{command: {"channel": channel}}) == error


async def test_without_redis_only_presence_is_missing(presence: Remembered, ann: FakeClient) -> None:
    presence.away = True

    assert "error" not in await ann.ask(subscribe={"channel": "room:1"})
    assert await ann.error(presence={"channel": "room:1"}) == (100, "internal server error")
    assert await ann.ask(publish={"channel": "room:1", "data": 1}) == {}
    ann.session.beat()
    assert await ann.ask(unsubscribe={"channel": "room:1"}) == {}
    await turns()


async def test_subscribers_are_told_who_comes_and_who_goes(ann: FakeClient, bob: FakeClient) -> None:
    await ann.ask(subscribe={"channel": "room:1"})
    await bob.ask(subscribe={"channel": "room:1"})
    await bob.ask(unsubscribe={"channel": "room:1"})
    await turns()

    assert [(next(iter(set(one) - {"channel"})), one) for one in ann.pushes()] == [
        ("join", {"channel": "room:1", "join": {"info": {"user": "ann", "client": ann.session.id}}}),
        ("join", {"channel": "room:1", "join": {"info": {"user": "bob", "client": bob.session.id}}}),
        ("leave", {"channel": "room:1", "leave": {"info": {"user": "bob", "client": bob.session.id}}}),
    ]


async def test_who_vanishes_leaves_every_room(ann: FakeClient, bob: FakeClient) -> None:
    await ann.ask(subscribe={"channel": "room:1"})
    await bob.ask(subscribe={"channel": "room:1"})

    bob.session.lost()
    await turns()

    assert ann.pushes()[-1]["leave"]["info"]["user"] == "bob"


async def test_other_namespaces_tell_nobody(ann: FakeClient, bob: FakeClient) -> None:
    await ann.ask(subscribe={"channel": "public:a"})
    await bob.ask(subscribe={"channel": "public:a"})
    await turns()

    assert ann.pushes() == []


async def test_a_process_that_stops_takes_its_clients_out(
    presence: Remembered, node: Node, ann: FakeClient
) -> None:
    await ann.ask(subscribe={"channel": "room:1"})

    await node.stop()

    assert presence.entries == {}
    assert await ann.until_closed() == (3001, "shutdown")


async def test_who_could_not_enter_after_all_is_not_there(node: Node, presence: Remembered) -> None:
    client = FakeClient(node)
    await client.connect()

    error = await client.error(
        subscribe={"channel": "room:1", "recover": True, "epoch": "other", "offset": 1, "flag": 2}
    )
    await turns()

    assert error == (112, "unrecoverable position")
    assert presence.entries == {}


async def test_many_who_come_and_go_at_once_are_written_in_batches(
    presence: Remembered, node: Node, ann: FakeClient
) -> None:
    clients = [FakeClient(node) for _ in range(1200)]
    for number, client in enumerate(clients):
        client.send(
            {"id": 1, "connect": {"token": f"u{number}/s{number}"}},
            {"id": 2, "subscribe": {"channel": "room:1"}},
        )
    for client in clients:
        assert "subscribe" in await client.reply(2)
    assert len(presence.entries) == len(clients)

    presence.batches.clear()
    for client in clients:
        client.session.lost()
    await ann.until(lambda: not presence.entries)

    assert presence.batches == [500, 500, 200]


async def test_who_leaves_and_comes_back_in_one_frame_is_there(presence: Remembered, ann: FakeClient) -> None:
    await ann.ask(subscribe={"channel": "room:1"})

    presence.idle.clear()
    ann.session.beat()  # a batch is on its way
    await turns()
    ann.send({"id": 50, "unsubscribe": {"channel": "room:1"}}, {"id": 51, "subscribe": {"channel": "room:1"}})
    await turns()
    presence.idle.set()

    await ann.reply(51)
    await turns()
    assert list(presence.entries) == [("room:1", ann.session.id)]


async def test_who_leaves_last_is_gone(presence: Remembered, ann: FakeClient) -> None:
    presence.idle.clear()
    ann.send(
        {"id": 50, "subscribe": {"channel": "room:1"}},
        {"id": 51, "unsubscribe": {"channel": "room:1"}},
    )
    await turns()
    presence.idle.set()

    await ann.reply(51)
    await turns()
    assert presence.entries == {}


async def test_a_store_that_is_slow_keeps_nobody_out(presence: Remembered) -> None:
    presence.idle.clear()
    attendance = Attendance(presence, asyncio.ensure_future, patience=0.01)

    await attendance.enter([Present("room:1", ClientInfo("ann", "c1"))])

    assert presence.entries == {}
    presence.idle.set()
    await turns()
    assert len(presence.entries) == 1


async def test_a_store_that_was_away_just_now_is_not_waited_for(presence: Remembered) -> None:
    attendance = Attendance(presence, asyncio.ensure_future, patience=3600)
    presence.away = True
    await attendance.enter([Present("room:1", ClientInfo("ann", "c1"))])
    presence.away = False
    presence.idle.clear()

    await asyncio.wait_for(attendance.enter([Present("room:1", ClientInfo("bob", "c2"))]), 30)

    presence.idle.set()
    await turns()
    assert list(presence.entries) == [("room:1", "c2")]


async def test_what_waits_to_be_written_is_bounded(presence: Remembered) -> None:
    attendance = Attendance(presence, asyncio.ensure_future, most_waiting=3)

    attendance.renew([Present("room:1", ClientInfo("ann", f"c{number}")) for number in range(5)])
    attendance.remove([Present("room:1", ClientInfo("ann", "c0"))])  # instead of what waits already
    await turns()

    assert [client for _, client in presence.entries] == ["c1", "c2"]
