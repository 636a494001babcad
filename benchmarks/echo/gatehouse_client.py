"""libs/amqp: requests and replies acked, the properties that `patterns.RPC` sends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from benchmarks.echo.terms import PREFETCH, QUEUE_ARGUMENTS, Served, body
from libs.amqp import Channel, Connection, Delivery, Endpoint, Properties, Queue

if TYPE_CHECKING:
    from benchmarks.load import Call

_QUEUE = "bench.echo.gatehouse_client"
_JSON = "application/json"


@asynccontextmanager
async def serving(url: str, served: Served) -> AsyncGenerator[None]:
    """Answer until the block ends."""
    async with _channel(url) as channel:
        replies = channel.publisher(
            "", properties=Properties(content_type=_JSON, delivery_mode=1, type="result")
        )

        def echo(delivery: Delivery) -> None:
            served.count += 1
            replies.publish(
                delivery.body,
                routing_key=delivery.reply_to,
                correlation_id=delivery.correlation_id,
                message_id=delivery.correlation_id,
                timestamp=int(time.time()),
            )
            delivery.ack()

        queue = await channel.declare_queue(Queue(name=_QUEUE, auto_delete=True, arguments=QUEUE_ARGUMENTS))
        await channel.consume(queue, echo, prefetch=PREFETCH)
        yield


@asynccontextmanager
async def calling(url: str) -> AsyncGenerator[Call]:
    """The call."""
    waiting: dict[str | None, asyncio.Future[bytes]] = {}
    loop = asyncio.get_running_loop()

    def take(delivery: Delivery) -> None:
        delivery.ack()
        waiting.pop(delivery.correlation_id).set_result(delivery.body)

    async with _channel(url) as channel:
        replies = await channel.declare_queue(Queue(durable=False, exclusive=True))
        await channel.consume(replies, take)
        constant = Properties(content_type=_JSON, delivery_mode=1, priority=5, type="call")
        requests = channel.publisher("", _QUEUE, constant, mandatory=True)

        async def call(number: int) -> bool:
            correlation_id = str(number)
            request = body(number)
            reply: asyncio.Future[bytes] = loop.create_future()
            waiting[correlation_id] = reply
            requests.publish(
                request,
                headers={"From": replies.name},
                correlation_id=correlation_id,
                reply_to=replies.name,
                message_id=correlation_id,
                timestamp=int(time.time()),
            )
            return await reply == request

        yield call


@asynccontextmanager
async def _channel(url: str) -> AsyncGenerator[Channel]:
    connection = await Connection.open([Endpoint.parse(url)], name="benchmark")
    try:
        yield await connection.channel()
    finally:
        await connection.close()
