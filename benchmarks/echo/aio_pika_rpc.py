"""aio-pika's `patterns.RPC`: requests acked, replies consumed without acks, bodies pickled, confirms on or off."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aio_pika
from aio_pika.patterns import RPC

from benchmarks.echo.terms import PREFETCH, QUEUE_ARGUMENTS, Served

if TYPE_CHECKING:
    from benchmarks.load import Call

_QUEUE = "bench.echo.aio_pika_rpc"


@asynccontextmanager
async def serving(url: str, served: Served, *, confirms: bool) -> AsyncGenerator[None]:
    """Answer until the block ends; with `confirms`, which is aio-pika's default, each reply waits for the broker's."""

    async def echo(*, a: int) -> dict[str, int]:
        served.count += 1
        return {"a": a}

    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=confirms)
        await channel.set_qos(prefetch_count=PREFETCH)
        rpc = await RPC.create(channel, exclusive=True)
        await rpc.register(_QUEUE, echo, durable=True, auto_delete=True, arguments=dict(QUEUE_ARGUMENTS))
        yield


@asynccontextmanager
async def calling(url: str, *, confirms: bool) -> AsyncGenerator[Call]:
    """The call; with `confirms`, which is aio-pika's default, each request waits for the broker's."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=confirms)
        rpc = await RPC.create(channel, exclusive=True)

        async def call(number: int) -> bool:
            reply = await rpc.call(_QUEUE, {"a": number})
            return bool(reply["a"] == number)

        yield call
