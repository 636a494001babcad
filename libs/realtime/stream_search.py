"""Finding a record in the stream by a reader of its own, beside the one that reads for clients."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from contextlib import suppress

from libs.amqp import AmqpError, Connection, Delivery
from libs.messaging.topology import REALTIME_STREAM
from libs.realtime import records
from libs.realtime.records import Record

_PREFETCH = 1000


class StreamSearch:
    """Looks through the stream over ``connection``, at most ``patience`` seconds; ``trusted`` are RabbitMQ users."""

    def __init__(self, connection: Connection, trusted: AbstractSet[str], patience: float) -> None:
        self._connection = connection
        self._trusted = trusted
        self._patience = patience

    async def first(self, start: str) -> int:
        """The position of the first record from ``start`` on (an `x-stream-offset`); raises TimeoutError."""
        return await self._find(start, lambda _: True)

    async def appended(self, identity: str, append: Callable[[], Awaitable[None]]) -> int:
        """The position of a record that is appended now, at the log's end; raises TimeoutError."""
        return await self._find("last", lambda record: record.identity == identity, append)

    async def _find(
        self,
        start: str,
        wanted: Callable[[Record], bool],
        append: Callable[[], Awaitable[None]] | None = None,
    ) -> int:
        found: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def look(delivery: Delivery) -> None:
            if found.done():  # and nothing is acknowledged on a channel that is being closed
                return
            delivery.ack()
            record = records.read(delivery, self._trusted)
            if record is not None and wanted(record):
                found.set_result(record.position)

        channel = await self._connection.channel(prefetch=_PREFETCH)
        try:
            await channel.consume(REALTIME_STREAM, look, arguments={"x-stream-offset": start})
            if append is not None:
                await append()
            async with asyncio.timeout(self._patience):
                return await found
        finally:
            with suppress(AmqpError):
                await channel.close()
