"""What is remembered of the messages that were read."""

import asyncio

from libs.realtime.seen import Seen


def test_a_message_is_new_once() -> None:
    seen = Seen(10)
    assert [seen.add("a", 1), seen.add("a", 2), seen.add("b", 3)] == [True, False, True]


def test_messages_without_an_id_are_always_new() -> None:
    seen = Seen(10)
    assert [seen.add("", 1), seen.add("", 2)] == [True, True]


def test_the_oldest_is_forgotten() -> None:
    seen = Seen(2)
    for offset, message_id in enumerate("abc", start=1):
        seen.add(message_id, offset)
    assert [seen.add("c", 4), seen.add("a", 5)] == [False, True]


async def test_who_asks_after_it_was_read_is_told_at_once() -> None:
    seen = Seen(10)
    seen.add("a", 7)
    assert await seen.offset("a", 0.0) == 7


async def test_who_asks_before_waits_for_it() -> None:
    seen = Seen(10)
    asking = [asyncio.create_task(seen.offset("a", 10.0)) for _ in range(2)]
    await asyncio.sleep(0)
    seen.add("b", 1)
    seen.add("a", 2)
    seen.add("a", 3)
    assert await asyncio.gather(*asking) == [2, 2]


async def test_one_waiter_that_gives_up_leaves_the_other() -> None:
    seen = Seen(10)
    patient = asyncio.create_task(seen.offset("a", 10.0))
    await asyncio.sleep(0)
    assert await seen.offset("a", 0.0) == 0
    seen.add("a", 2)
    assert await patient == 2
