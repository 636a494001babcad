"""Events out, each confirmed; and in, acked once their listener is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import structlog
from typing_extensions import override

from libs.amqp import (
    PERSISTENT,
    AmqpError,
    Channel,
    Connection,
    Consumer,
    Delivery,
    MalformedMessage,
    Properties,
)
from libs.messaging.bus import Subscription
from libs.messaging.deadline import Deadline
from libs.messaging.errors import TimedOut, Unavailable
from libs.messaging.handlers import Listeners
from libs.messaging.listener import hear
from libs.messaging.message import EventMessage
from libs.messaging.metrics import DEAD_LETTERS
from libs.messaging.rabbitmq.calls import call_error
from libs.messaging.rabbitmq.stopping import stop_consuming
from libs.messaging.rabbitmq.wire import JSON, event_caller
from libs.messaging.settings import BrokerSettings
from libs.messaging.topology import EVENTS_EXCHANGE
from libs.messaging.workers import Workers

_log = structlog.get_logger(__name__)


def event_properties(message: EventMessage) -> Properties:
    """The properties under which an event travels."""
    headers = {"traceparent": message.traceparent, "channel": message.channel}
    return Properties(
        content_type=JSON,
        headers={name: value for name, value in headers.items() if value} or None,
        delivery_mode=PERSISTENT,
        message_id=message.message_id,
        timestamp=message.timestamp,
        type=message.name,
    )


class EventPublisher:
    """Publishes to `gatehouse.events` on a channel with confirms."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def send(self, message: EventMessage, within: float) -> None:
        """Return once the broker has stored it; raises a `CallError` where that is not certain.

        Raises Unavailable where nothing was sent, since the broker took nothing ``within`` seconds.
        """
        deadline = Deadline.after(within)
        properties = event_properties(message)
        try:
            await self._channel.ready(within)
            confirmation = self._channel.submit(
                EVENTS_EXCHANGE, message.name, message.body, properties, mandatory=message.mandatory
            )
        except AmqpError as error:
            raise Unavailable(message.name) from error
        try:
            async with asyncio.timeout(deadline.remaining):
                await confirmation
        except TimeoutError:
            raise TimedOut(message.name) from None
        except AmqpError as error:
            raise call_error(error, message.name) from error


class Hearing(Subscription):
    """A table whose events are heard; what fails or cannot be read goes to the queue's dead letters."""

    def __init__(self, listeners: Listeners, settings: BrokerSettings) -> None:
        self._listeners = listeners
        self._settings = settings
        self._tasks: Workers[bool] = Workers()
        self.consumer: Consumer | None = None
        self._channel: Channel | None = None
        self._stopping = False

    async def start(
        self, connection: Connection, queue: str, *, on_restored: Callable[[], None] | None = None
    ) -> None:
        """Consume the queue."""
        self._channel = await connection.channel(prefetch=self._listeners.slots)
        self.consumer = await self._channel.consume(queue, self.on_event, on_restored=on_restored)

    @override
    async def stop(self) -> None:
        self._stopping = True
        consumers = [] if self.consumer is None else [self.consumer]
        channels = [] if self._channel is None else [self._channel]
        await stop_consuming(consumers, channels, self._tasks, within=self._settings.drain_timeout)

    def on_event(self, delivery: Delivery) -> None:
        """Start the listener, whose time is bounded: one that hangs would hold its slot for good."""
        within = self._settings.event_timeout
        self._tasks.start(self._heard(delivery), done=partial(self._settle, delivery), within=within)

    def _settle(self, delivery: Delivery, heard: bool | None) -> None:  # ruff: ignore[boolean-type-hint-positional-argument]  what hear() says
        """Ack what was heard; dead-letter what failed or took too long; what a stop ended half-way comes again."""
        if heard:
            delivery.ack()
            return
        again = heard is None and self._stopping
        if heard is None and not again:
            _log.error(
                "listener took too long", key=delivery.routing_key, seconds=self._settings.event_timeout
            )
        if not again:
            DEAD_LETTERS.labels(self._listeners.service).inc()
        delivery.nack(requeue=again)

    async def _heard(self, delivery: Delivery) -> bool:
        try:
            caller = event_caller(delivery)
        except MalformedMessage:
            _log.error("event cannot be read: its properties are malformed")
            return False
        row = self._listeners.routes.get(delivery.routing_key)
        if row is None:
            _log.error("event nobody listens to: its binding outlived its listener", key=delivery.routing_key)
            return False
        if len(delivery.body) > self._settings.max_body:
            _log.error(
                "event cannot be read: it is too large", key=delivery.routing_key, bytes=len(delivery.body)
            )
            return False
        event, listener = row
        return await hear(event, listener, delivery.body, caller)
