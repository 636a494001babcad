"""pika's asyncio adapter: requests and replies acked, one by one, the properties that `patterns.RPC` sends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pika
from pika.adapters.asyncio_connection import AsyncioConnection

from benchmarks.echo.terms import PREFETCH, QUEUE_ARGUMENTS, Served, body

if TYPE_CHECKING:
    from benchmarks.load import Call

_QUEUE = "bench.echo.pika_asyncio"


@asynccontextmanager
async def serving(url: str, served: Served) -> AsyncGenerator[None]:
    """Answer until the block ends."""

    def echo(channel: Any, method: Any, properties: Any, request: bytes) -> None:
        served.count += 1
        reply = pika.BasicProperties(
            content_type="application/json",
            delivery_mode=1,
            correlation_id=properties.correlation_id,
            message_id=properties.correlation_id,
            timestamp=int(time.time()),
            type="result",
        )
        channel.basic_publish("", properties.reply_to, request, reply)
        channel.basic_ack(method.delivery_tag)

    async with _channel(url) as channel:
        await _done(channel.basic_qos, prefetch_count=PREFETCH)
        await _done(
            channel.queue_declare, _QUEUE, durable=True, auto_delete=True, arguments=dict(QUEUE_ARGUMENTS)
        )
        await _done(channel.basic_consume, _QUEUE, echo)
        yield


@asynccontextmanager
async def calling(url: str) -> AsyncGenerator[Call]:
    """The call."""
    waiting: dict[str, asyncio.Future[bytes]] = {}
    loop = asyncio.get_running_loop()

    def take(channel: Any, method: Any, properties: Any, reply: bytes) -> None:
        channel.basic_ack(method.delivery_tag)
        waiting.pop(properties.correlation_id).set_result(reply)

    async with _channel(url) as channel:
        declared = await _done(channel.queue_declare, "", exclusive=True)
        replies = declared.method.queue
        await _done(channel.basic_consume, replies, take)

        async def call(number: int) -> bool:
            correlation_id = str(number)
            request = body(number)
            reply: asyncio.Future[bytes] = loop.create_future()
            waiting[correlation_id] = reply
            properties = pika.BasicProperties(
                content_type="application/json",
                headers={"From": replies},
                delivery_mode=1,
                priority=5,
                correlation_id=correlation_id,
                reply_to=replies,
                message_id=correlation_id,
                timestamp=int(time.time()),
                type="call",
            )
            channel.basic_publish("", _QUEUE, request, properties, mandatory=True)
            return await reply == request

        yield call


@asynccontextmanager
async def _channel(url: str) -> AsyncGenerator[Any]:
    loop = asyncio.get_running_loop()
    opened = loop.create_future()
    closed = loop.create_future()
    connection = AsyncioConnection(
        pika.URLParameters(url),
        on_open_callback=opened.set_result,
        on_open_error_callback=lambda _, error: opened.set_exception(error),
        on_close_callback=lambda _, error: closed.set_result(error),
        custom_ioloop=loop,
    )
    await opened
    channel = loop.create_future()
    connection.channel(on_open_callback=channel.set_result)
    try:
        yield await channel
    finally:
        connection.close()
        await closed


async def _done(method: Any, *arguments: Any, **options: Any) -> Any:
    answered = asyncio.get_running_loop().create_future()
    method(*arguments, callback=answered.set_result, **options)
    return await answered
