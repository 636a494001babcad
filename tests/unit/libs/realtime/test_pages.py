"""Pages of history that fit."""

import asyncio

import pytest

from libs.realtime.codes import INTERNAL, Refused
from libs.realtime.feed import Event
from libs.realtime.node import Node
from libs.realtime.pages import page
from libs.realtime.protocol import HistoryRequest, Position
from tests.unit.libs.realtime.clients import new_node


async def say(node: Node, *data: bytes) -> None:
    for number, one in enumerate(data):
        await node.log.append(Event("realtime.said", "public:a", one, f"{number}-{len(one)}"))


async def test_a_page_is_no_larger_than_what_a_client_is_given_at_once() -> None:
    node = new_node(max_pending=65_536)
    await node.start()
    await say(node, *(b'"%b"' % (b"x" * size) for size in (20_000, 10_000, 5_000, 1)))
    channel = node.channels.asked("public:a")

    first = await page(node, channel, HistoryRequest("public:a", -1))
    since = Position(first.publications[-1].offset, first.epoch)
    second = await page(node, channel, HistoryRequest("public:a", -1, since))

    assert [len(one.publications) for one in (first, second)] == [2, 2]
    await node.stop()


async def test_one_publication_is_always_given() -> None:
    node = new_node(max_pending=65_536)
    await node.start()
    await say(node, b'"%b"' % (b"x" * 50_000))
    found = await page(node, node.channels.asked("public:a"), HistoryRequest("public:a", 5))
    assert len(found.publications) == 1
    await node.stop()


async def test_while_the_log_is_not_read_nothing_is_told() -> None:
    node = new_node()
    with pytest.raises(Refused) as refused:
        await page(node, node.channels.asked("public:a"), HistoryRequest("public:a", 5))
    assert refused.value.error is INTERNAL


async def test_who_knows_more_than_this_process_waits_for_it() -> None:
    node = new_node()
    await node.start()
    epoch = node.feed.position.epoch
    asked = HistoryRequest("public:a", 5, Position(1, epoch))
    asking = asyncio.create_task(page(node, node.channels.asked("public:a"), asked))
    await asyncio.sleep(0)
    await say(node, b"1", b"22")
    assert [one.data for one in (await asking).publications] == [b"22"]
    await node.stop()


async def test_a_log_that_is_lost_while_it_is_waited_for_tells_nothing() -> None:
    node = new_node()
    await node.start()
    asked = HistoryRequest("public:a", 5, Position(151, node.feed.position.epoch))
    asking = asyncio.create_task(page(node, node.channels.asked("public:a"), asked))
    await asyncio.sleep(0)
    node.feed.lose()
    node.feed.begin(149)
    node.feed.add(150, Event("realtime.said", "public:a", b"1", "m"))

    with pytest.raises(Refused) as refused:
        await asking
    assert refused.value.error is INTERNAL
    await node.stop()
