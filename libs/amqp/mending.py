"""Trying again, for as long as it takes, what the broker would not restore at once."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from libs.amqp.backoff import Backoff
from libs.amqp.channel_protocol import ChannelProtocol
from libs.amqp.errors import AmqpError, NotFound
from libs.amqp.recovery import Missing
from libs.amqp.request import answered
from libs.amqp.subscription import Subscription
from libs.amqp.topology import Topology

logger = logging.getLogger(__name__)


class Mender:
    """Owns one task per broken thing; each ends when its thing is whole, is given up, or the mender closes.

    A queue whose home node is down is waited for. A queue that is gone is declared again with its bindings and
    their exchanges, if this connection had declared it.
    """

    def __init__(
        self,
        topology: Topology,
        backoff: Backoff,
        *,
        restore: Callable[[Missing], Awaitable[Missing]],
        connected: Callable[[], Awaitable[None]],
    ) -> None:
        self._topology = topology
        self._backoff = backoff
        self._restore = restore
        self._connected = connected
        self._tasks: set[asyncio.Task[None]] = set()
        self._reviving: dict[Subscription, asyncio.Task[None]] = {}
        self._completing: asyncio.Task[None] | None = None

    def complete(self, missing: Missing) -> None:
        """Declare what is still missing, instead of what was missing before."""
        if self._completing is not None:
            self._completing.cancel()
        self._completing = self._start(self._complete(missing)) if missing else None

    def revive(self, channel: ChannelProtocol, subscription: Subscription, error: AmqpError) -> None:
        """Start a consumer again that the broker has ended or refused."""
        logger.warning("consumer %s of queue %r stopped: %s", subscription.tag, subscription.queue, error)
        self.forget(subscription)
        self._reviving[subscription] = self._start(self._revive(channel, subscription, error))

    def forget(self, subscription: Subscription) -> None:
        """The consumer is not wanted any more."""
        task = self._reviving.pop(subscription, None)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """Give everything up."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _complete(self, missing: Missing) -> None:
        for delay in self._backoff.delays():
            await asyncio.sleep(delay)
            await self._connected()
            try:
                missing = missing.still_wanted(self._topology)
                missing = await self._restore(missing.with_what_goes_along(self._topology))
            except AmqpError as error:
                logger.warning("what is missing could not be declared: %s", error)
            except Exception:
                logger.exception("what is missing could not be declared")
            if not missing:
                return

    async def _revive(self, channel: ChannelProtocol, subscription: Subscription, error: AmqpError) -> None:
        for delay in self._backoff.delays():
            await asyncio.sleep(delay)
            await self._connected()
            try:
                if isinstance(error, NotFound) and not error.home_node_down:
                    await self._restore_queue(subscription.queue)
                # Asked for twice, the tag would be in use: so it is waited for until the answer or the loss.
                await answered(
                    lambda resolve: channel.subscribe(subscription, resolve), "basic.consume", timeout=None
                )
            except AmqpError as failure:
                error = failure
                logger.warning("consumer %s of queue %r: %s", subscription.tag, subscription.queue, error)
            except Exception:
                logger.exception("consumer %s of queue %r", subscription.tag, subscription.queue)
            else:
                logger.info("consumer %s of queue %r is back", subscription.tag, subscription.queue)
                subscription.restored()
                return

    async def _restore_queue(self, name: str) -> None:
        queue = self._topology.queues.get(name)
        if queue is not None:
            await self._restore(Missing(queues=[queue]).with_what_goes_along(self._topology))
