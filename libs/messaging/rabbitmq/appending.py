"""Records into the stream of client-facing events: sent until it is certain that they are stored.

They go through the default exchange straight to the stream, on a channel that is used for nothing else: on RabbitMQ
3.10 to 3.13 a channel that has published elsewhere can lose confirmed messages to the stream's deduplication after a
change of leader (rabbitmq-server#12236). And they are mandatory: in the second after the broker's start its port is
open while the stream is not there yet.
"""

from __future__ import annotations

import asyncio

import structlog

from libs.amqp import AmqpError, Channel, Connection, Properties
from libs.messaging.deadline import Deadline
from libs.messaging.errors import Unavailable
from libs.messaging.topology import REALTIME_STREAM

_log = structlog.get_logger(__name__)
_CONFIRM_BOUND = 1.5  # s; no confirm within it means: not stored
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5  # s between two tries


class Appender:
    """Appends to `gatehouse.realtime`; several at once share the channel."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._channel: Channel | None = None
        self._opening = asyncio.Lock()

    async def append(self, properties: Properties, body: bytes, *, within: float) -> None:
        """Return once the record is stored; it may be stored twice, under one ``message_id``.

        Raises Unavailable when ``within`` seconds were not enough.
        """
        deadline = Deadline.after(within)
        pause = _FIRST_PAUSE
        while not await self._is_stored(properties, body, min(_CONFIRM_BOUND, deadline.remaining)):
            if deadline.remaining <= pause:
                raise Unavailable("the realtime log takes no records")
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _is_stored(self, properties: Properties, body: bytes, within: float) -> bool:
        channel: Channel | None = None
        try:
            async with asyncio.timeout(within):
                channel = await self._current()
                await channel.publish_confirmed("", REALTIME_STREAM, body, properties, mandatory=True)
        except (AmqpError, TimeoutError) as error:
            _log.debug("realtime_record_not_stored_yet", error=type(error).__name__)
            await self._abandon(channel)
            return False
        return True

    async def _current(self) -> Channel:
        async with self._opening:
            if self._channel is None:
                self._channel = await self._connection.channel(confirms=True)
            return self._channel

    async def _abandon(self, failed: Channel | None) -> None:
        """Let go of a channel whose record is not known to be stored; the next try opens another."""
        if failed is None or self._channel is not failed:
            return
        self._channel = None
        try:
            await failed.close(1.0)
        except AmqpError as error:
            _log.info("abandoned_channel", error=type(error).__name__)
