"""Who comes and goes is told in order, once, and not more often than anybody needs."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from typing_extensions import override

from libs.messaging import Unavailable
from libs.realtime import Namespace
from libs.realtime.announcements import Announcements
from libs.realtime.feed import Event, Movement
from libs.realtime.memory_log import MemoryLog
from libs.realtime.node import Node
from libs.realtime.protocol import ClientInfo
from tests.unit.libs.realtime.clients import NAMESPACES, FakeClient, new_node

ANN, BOB = ClientInfo("ann", "c1"), ClientInfo("bob", "c2")


class Gate(MemoryLog):
    """A log that takes movements while it is ``open``, and nothing while it is ``away``."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()
        self.away = False

    @override
    async def append(self, content: Event | Movement) -> None:
        if self.away:
            raise Unavailable
        if isinstance(content, Movement):
            await self.open.wait()
        await super().append(content)

    def told(self) -> list[tuple[str, bool]]:
        """Who came (True) or went, in the order of the log."""
        return [(one.info.user, one.joined) for one in self.stream.records if isinstance(one, Movement)]


@pytest.fixture
def log() -> Gate:
    return Gate()


@pytest.fixture
async def node(log: Gate) -> AsyncIterator[Node]:
    node = new_node(log=log, max_channels=8)
    await node.start()
    yield node
    await node.stop()


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_leave_that_the_log_takes_late_does_not_overtake_the_next_join(
    node: Node, log: Gate, ann: FakeClient
) -> None:
    await ann.ask(subscribe={"channel": "room:1"})
    await turns()
    log.open.clear()
    await ann.ask(unsubscribe={"channel": "room:1"})
    await turns()  # the leave is on its way
    await ann.ask(subscribe={"channel": "room:1"})
    await turns()

    log.open.set()
    await turns()

    assert log.told() == [("ann", True), ("ann", False), ("ann", True)]


async def test_a_join_and_a_leave_that_both_wait_are_told_to_nobody(log: Gate, node: Node) -> None:
    log.open.clear()
    node.announcements.tell("room:1", BOB, joined=True)
    await turns()

    for joined in (True, False):
        node.announcements.tell("room:1", ANN, joined=joined)
    node.announcements.tell("room:1", BOB, joined=False)
    node.announcements.tell("room:1", BOB, joined=True)
    log.open.set()
    await turns()

    assert log.told() == [("bob", True)]


async def test_who_comes_back_as_somebody_else_is_told_again(log: Gate, node: Node) -> None:
    log.open.clear()
    node.announcements.tell("room:1", BOB, joined=True)
    await turns()

    node.announcements.tell("room:1", ANN, joined=False)
    node.announcements.tell("room:1", ClientInfo("ann", "c1", chan_info=b"7"), joined=True)
    log.open.set()
    await turns()

    assert log.told() == [("bob", True), ("ann", True)]


async def test_what_waits_is_bounded(log: Gate, node: Node) -> None:
    announcements = Announcements(log, node.spawn, most_waiting=2)

    for number in range(5):
        announcements.tell("room:1", ClientInfo(f"u{number}", f"c{number}"), joined=True)
    await turns()

    assert log.told() == [("u0", True), ("u1", True)]


async def test_what_the_log_does_not_take_is_dropped_and_the_rest_is_told(log: Gate, node: Node) -> None:
    log.away = True
    node.announcements.tell("room:1", ANN, joined=True)
    await turns()
    log.away = False
    node.announcements.tell("room:1", BOB, joined=True)
    await turns()

    assert log.told() == [("bob", True)]


async def test_of_one_that_comes_and_goes_all_the_time_the_others_hear_no_more(
    log: Gate, ann: FakeClient, bob: FakeClient
) -> None:
    for number in range(100):
        await ann.ask(subscribe={"channel": f"room:{number}"})
        await ann.ask(unsubscribe={"channel": f"room:{number}"})
        await turns()
    await bob.ask(subscribe={"channel": "room:1"})
    await turns()

    told = log.told()
    assert 8 <= told.count(("ann", True)) < 50
    assert told.count(("ann", False)) == told.count(("ann", True))
    assert ("bob", True) in told


async def test_where_nobody_may_ask_who_is_there_nobody_is_told_either(log: Gate) -> None:
    secret = Namespace(
        subscribe=frozenset({"authenticated"}), presence=True, join_leave=True, read_presence="nobody"
    )
    node = new_node(log=log, namespaces={**NAMESPACES, "secret": secret})
    await node.start()
    ann = FakeClient(node)
    await ann.connect("ann/s1")
    await ann.ask(subscribe={"channel": "secret:1"})
    # A gateway of before, or with other rules, may have told it.
    await log.append(Movement("secret:1", BOB, joined=True, message_id="m1"))
    await turns()

    assert ann.pushes() == []
    assert log.told() == [("bob", True)]
    await node.stop()
