"""The end of consuming: nothing new comes, what runs is finished, and only then the channels go."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any

import structlog

from libs.amqp import AmqpError, Channel, Consumer
from libs.messaging.deadline import Deadline
from libs.messaging.workers import Workers

_log = structlog.get_logger(__name__)
_ANSWER = 5.0  # s that a broker may take to answer, which is there
_CLOSING = 1.0  # s for it to hear the last acks when the time is up


async def stop_consuming(
    consumers: Iterable[Consumer], channels: Iterable[Channel], *workers: Workers[Any], within: float
) -> None:
    """Give what runs ``within`` seconds from now, whether or not the broker answers; what is still under way then is stopped."""
    deadline = Deadline.after(within)
    await answered(*(one.cancel(min(_ANSWER, within)) for one in consumers))
    for each in workers:
        await each.finish(max(deadline.remaining, 0))
    left = max(_CLOSING, min(_ANSWER, deadline.remaining))
    await answered(*(one.close(left) for one in channels))


async def answered(*asked: Awaitable[object]) -> None:
    """Await them side by side; a broker that does not answer, or refuses, stops nothing."""
    for result in await asyncio.gather(*asked, return_exceptions=True):
        if isinstance(result, AmqpError):
            _log.info("not_answered_while_stopping", error=type(result).__name__)
        elif isinstance(result, BaseException):
            raise result
