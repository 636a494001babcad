"""The control queue of one process: it hears every event it binds, whatever other processes hear."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from typing_extensions import override

from libs.amqp import Channel, Connection, Queue
from libs.messaging.bus import ControlSubscription
from libs.messaging.handlers import Listeners
from libs.messaging.rabbitmq.events import Hearing
from libs.messaging.rabbitmq.stopping import answered
from libs.messaging.settings import BrokerSettings
from libs.messaging.topology import EVENTS_EXCHANGE, control_queue

_log = structlog.get_logger(__name__)
_ANSWER = 2.0  # s that a broker may take to let the queue go


class Control(Hearing, ControlSubscription):
    """An exclusive queue that dies with its connection.

    What it misses meanwhile is not kept anywhere, so ``bound`` is awaited whenever it is heard anew.
    """

    def __init__(
        self,
        listeners: Listeners,
        settings: BrokerSettings,
        *,
        process: str,
        bound: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(listeners, settings)
        self._queue = control_queue(process)
        self._bound = bound
        self._connection: Connection | None = None
        self._declaring: Channel | None = None
        self._asking: asyncio.Task[None] | None = None

    @property
    @override
    def hears(self) -> bool:
        active = self.consumer is not None and self.consumer.is_active
        return active and self._connection is not None and self._connection.is_open

    async def bind(self, connection: Connection) -> None:
        """Make the queue, hear it, and only then ask for what happened before."""
        self._connection = connection
        self._declaring = await connection.channel()
        queue = Queue(name=self._queue, durable=False, exclusive=True)
        await self._declaring.declare_queue(queue)
        for name in self._listeners.routes:
            await self._declaring.bind_queue(self._queue, EVENTS_EXCHANGE, name)
        await self.start(connection, self._queue, on_restored=self._restored)
        await self._bound()

    def _restored(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
        self._asking = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        try:
            await self._bound()
        except Exception:  # ruff: ignore[blind-except]  whatever it was, the queue goes on
            _log.exception("what happened meanwhile could not be asked for", queue=self._queue)

    @override
    async def stop(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])
        await super().stop()
        declaring, self._declaring = self._declaring, None
        if declaring is None:
            return
        await answered(
            declaring.delete_queue(self._queue, timeout=_ANSWER)
        )  # else it goes with its connection
        await answered(declaring.close(_ANSWER))
