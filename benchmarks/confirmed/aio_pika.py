"""aio-pika: a window of publications awaited together, then the next; each delivery acked by its callback.

A window that slides, as wide, is a tenth slower with aio-pika, so it gets the way that suits it best.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aio_pika
from aio_pika import DeliveryMode, Message
from pamqp.commands import Basic

from benchmarks.confirmed.terms import MESSAGES, PREFETCH, QUEUE, WINDOW, Ledger, body

if TYPE_CHECKING:
    from aio_pika.abc import AbstractIncomingMessage

    from benchmarks.confirmed.terms import ConsumeAll, PublishAll


@asynccontextmanager
async def publishing(url: str) -> AsyncGenerator[PublishAll]:
    """Publish to the queue."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=True)
        exchange = channel.default_exchange

        async def publish(number: int) -> bool:
            message = Message(body(number), delivery_mode=DeliveryMode.PERSISTENT)
            return isinstance(await exchange.publish(message, QUEUE), Basic.Ack)

        async def publish_all() -> int:
            confirmed = 0
            for first in range(0, MESSAGES, WINDOW):
                confirmed += sum(await asyncio.gather(*map(publish, range(first, first + WINDOW))))
            return confirmed

        yield publish_all


@asynccontextmanager
async def consuming(url: str) -> AsyncGenerator[ConsumeAll]:
    """Consume from the queue."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=PREFETCH)
        queue = await channel.get_queue(QUEUE, ensure=False)

        async def consume_all(ledger: Ledger) -> None:
            finished = asyncio.Event()

            async def take(message: AbstractIncomingMessage) -> None:
                await message.ack()
                if ledger.enter(message.body):
                    finished.set()

            await queue.consume(take)
            await finished.wait()

        yield consume_all
