"""libs/amqp: a window of publications that slides with the confirms; acks of one turn of the loop travel together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from benchmarks.confirmed.terms import MESSAGES, PREFETCH, QUEUE, WINDOW, Ledger, body
from libs.amqp import PERSISTENT, AmqpError, Connection, Delivery, Endpoint, Properties

if TYPE_CHECKING:
    from benchmarks.confirmed.terms import ConsumeAll, PublishAll


@asynccontextmanager
async def publishing(url: str) -> AsyncGenerator[PublishAll]:
    """Publish to the queue."""
    async with _connection(url) as connection:
        channel = await connection.channel(confirms=True, window=WINDOW)
        publisher = channel.publisher("", QUEUE, Properties(delivery_mode=PERSISTENT), mandatory=True)

        async def publish_all() -> int:
            confirmed = 0

            def count(error: AmqpError | None) -> None:
                nonlocal confirmed
                confirmed += error is None

            for number in range(MESSAGES):
                await channel.ready()
                publisher.publish(body(number), on_confirm=count)
            await channel.wait_for_confirms()
            return confirmed

        yield publish_all


@asynccontextmanager
async def consuming(url: str) -> AsyncGenerator[ConsumeAll]:
    """Consume from the queue."""
    async with _connection(url) as connection:
        channel = await connection.channel(prefetch=PREFETCH)

        async def consume_all(ledger: Ledger) -> None:
            finished = asyncio.Event()

            def take(delivery: Delivery) -> None:
                delivery.ack()
                if ledger.enter(delivery.body):
                    finished.set()

            await channel.consume(QUEUE, take)
            await finished.wait()

        yield consume_all


@asynccontextmanager
async def _connection(url: str) -> AsyncGenerator[Connection]:
    connection = await Connection.open([Endpoint.parse(url)], name="benchmark")
    try:
        yield connection
    finally:
        await connection.close()
