"""The control queue of one process: it hears every event it binds, whatever other processes hear."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from typing_extensions import override

from libs.amqp import AmqpError, Channel, Connection, Queue
from libs.messaging.handlers import Listeners
from libs.messaging.rabbitmq.events import Hearing
from libs.messaging.settings import BrokerSettings
from libs.messaging.topology import EVENTS_EXCHANGE, control_queue

_log = structlog.get_logger(__name__)


class Control(Hearing):
    """An exclusive queue that dies with its connection.

    What it misses meanwhile is not kept anywhere, so ``bound`` is awaited whenever the queue stands anew.
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
        self._declaring: Channel | None = None

    async def bind(self, connection: Connection) -> None:
        """Make the queue, hear it, and only then ask for what happened before."""
        self._declaring = await connection.channel()
        queue = Queue(name=self._queue, durable=False, exclusive=True)
        await self._declaring.declare_queue(queue)
        for name in self._listeners.routes:
            await self._declaring.bind_queue(self._queue, EVENTS_EXCHANGE, name)
        await self.start(connection, self._queue)
        await self._bound()
        connection.on_restored(self._restored)

    async def _restored(self) -> None:
        await self._bound()

    @override
    async def stop(self) -> None:
        await super().stop()
        if self._declaring is None:
            return
        try:
            await self._declaring.delete_queue(self._queue)
            await self._declaring.close()
        except AmqpError as error:
            _log.info("control queue went with its connection", error=type(error).__name__)
