"""Reading after a crash of the broker, on a broker of its own.

The session's broker holds the streams of all tests before; after a kill it would first bring back all of them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

from libs.amqp import AmqpError
from libs.local import RabbitMQ, temporary_services
from libs.messaging import Unavailable
from libs.realtime.feed import Event
from tests.fixtures.log_world import LogWorld, heard, told_of_gaps, until, world
from tests.fixtures.services import SessionServices

__all__ = ["world"]


@pytest.fixture(scope="module")
def services() -> Iterator[SessionServices]:
    """Services of this module alone."""
    with temporary_services("test") as local:
        yield SessionServices(local)


async def test_after_the_broker_was_killed_reading_goes_on_where_it_was(
    world: LogWorld, broker: RabbitMQ
) -> None:
    await world.declare()
    channel = await world.channel()
    node, client = await world.node()
    numbers = await world.say(channel, 20)
    await until(lambda: heard(client) == numbers)

    # RabbitMQ 3.10 forgets a stream for good when it is killed within a second of its making, a busy one later too.
    await asyncio.sleep(5)
    await asyncio.to_thread(broker.kill)
    with pytest.raises(Unavailable):
        await node.log.append(Event("x.y", "live:a", b"0", "lost"))
    await asyncio.to_thread(broker.start)
    await channel.ready(60)
    numbers += await _retried(lambda: world.say(channel, 20))

    await until(lambda: heard(client)[-20:] == numbers[-20:], within=60)
    assert told_of_gaps(client) == 0
    assert heard(client)[:20] == numbers[:20]


async def _retried(say: Callable[[], Awaitable[list[int]]]) -> list[int]:
    """In the second after a start the stream is not there yet, while the port is open."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await say()
            except AmqpError:
                await asyncio.sleep(0.2)
