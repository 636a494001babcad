import asyncio

import pytest

from libs.amqp import Connection, Delivery, Properties, Queue
from tests.fixtures.proxy import Proxy
from tests.integration.amqp.conftest import eventually


async def _echo(connection: Connection, bodies: list[bytes]) -> list[Delivery]:
    channel = await connection.channel(confirms=True)
    queue = await channel.declare_queue(Queue(exclusive=True))
    deliveries: list[Delivery] = []
    await channel.consume(queue, deliveries.append, no_ack=True)
    await asyncio.gather(
        *[
            channel.submit("", queue.name, body, Properties(headers={"n": 1}), mandatory=True)
            for body in bodies
        ]
    )
    await eventually(lambda: len(deliveries) == len(bodies))
    return deliveries


@pytest.mark.parametrize(
    "size",
    [0, 1, 131_063, 131_064, 131_065, 262_128, 1_000_000, 20_000_000],
    ids=lambda size: f"{size} bytes",
)
async def test_a_body_of_any_size_arrives_as_it_was_sent(connection: Connection, size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)

    (delivery,) = await _echo(connection, [body[:size]])

    assert delivery.body == body[:size]


async def test_a_stream_of_single_bytes_is_understood(proxied: Connection, proxy: Proxy) -> None:
    proxy.single_bytes = True

    deliveries = await _echo(proxied, [b"", b"x" * 3000, b"end"])

    assert [delivery.body for delivery in deliveries] == [b"", b"x" * 3000, b"end"]


async def test_a_slow_line_loses_nothing(proxied: Connection, proxy: Proxy) -> None:
    proxy.delay = 0.02
    bodies = [b"%d" % number * 1000 for number in range(500)]

    deliveries = await _echo(proxied, bodies)

    assert [delivery.body for delivery in deliveries] == bodies
