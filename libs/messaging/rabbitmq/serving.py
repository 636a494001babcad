"""The answering half of RPC: each lane has its channel, whose prefetch is the number of its slots."""

from __future__ import annotations

from functools import partial

import structlog
from typing_extensions import override

from libs.amqp import (
    AmqpError,
    Blocked,
    Channel,
    Connection,
    ConnectionLost,
    Consumer,
    Delivery,
    MalformedMessage,
    Properties,
    Publisher,
)
from libs.messaging.bus import Subscription
from libs.messaging.errors import FieldError, Interrupted, UnknownOperation, ValidationFailed
from libs.messaging.handlers import Handlers
from libs.messaging.listener import Answer, answer, refusal
from libs.messaging.metrics import INTERRUPTED_REQUESTS, SKEWED_DEADLINES
from libs.messaging.rabbitmq.stopping import stop_consuming
from libs.messaging.rabbitmq.wire import JSON, received
from libs.messaging.settings import BrokerSettings
from libs.messaging.topology import rpc_queue
from libs.messaging.workers import Workers

_log = structlog.get_logger(__name__)
_LATE_REPLY = 10.0  # s that a reply waits for the broker to take it


class Serving(Subscription):
    """A table that is answered: a delivered request starts at once, since a slot is free for it."""

    def __init__(self, handlers: Handlers, replies: Channel, settings: BrokerSettings) -> None:
        self._handlers = handlers
        self._replies = replies
        self._publishers = {
            kind: replies.publisher("", "", Properties(content_type=JSON, type=kind))
            for kind in ("reply", "error")
        }
        self._settings = settings
        self._tasks: Workers[Answer] = Workers()
        self._late: Workers[None] = Workers()
        self._consumers: list[Consumer] = []
        self._channels: list[Channel] = []

    async def start(self, connection: Connection) -> None:
        """Consume every lane's queue."""
        for name, lane in self._handlers.lanes.items():
            channel = await connection.channel(prefetch=lane.slots)
            self._channels.append(channel)
            queue = rpc_queue(self._handlers.service, name)
            self._consumers.append(await channel.consume(queue, self._on_request))

    @override
    async def stop(self) -> None:
        within = self._settings.drain_timeout
        await stop_consuming(self._consumers, self._channels, self._tasks, self._late, within=within)

    def _on_request(self, delivery: Delivery) -> None:
        """Start its handler; what can be refused without one never becomes a task."""
        try:
            refused = self._start(delivery)
        except MalformedMessage:
            _log.warning("request dropped: its properties cannot be read")
            delivery.ack()
            return
        if refused is not None:
            self._settle(delivery, refused)

    def _start(self, delivery: Delivery) -> Answer | None:
        name = delivery.routing_key  # what the broker has routed by, and not what the message says of itself
        route = self._handlers.routes.get(name)
        if route is None:
            return refusal(UnknownOperation(name))
        if delivery.redelivered and not route.operation.idempotent:
            INTERRUPTED_REQUESTS.inc()
            return refusal(Interrupted(f"a server went away while it ran {name}"))
        if len(delivery.body) > self._settings.max_body:
            too_large = FieldError(field="body", message=f"It is larger than {self._settings.max_body} bytes")
            return refusal(ValidationFailed(errors=[too_large]))
        caller, deadline, skewed = received(
            delivery, trusted=self._settings.trusted_callers, clock_skew=self._settings.clock_skew
        )
        if skewed:
            SKEWED_DEADLINES.inc()
            _log.warning("deadline beyond the expiration: clocks are skewed", operation=name)
        remaining = deadline.remaining
        if remaining > 0:
            work = answer(route, delivery.body, caller)
            self._tasks.start(work, within=remaining, done=partial(self._settle, delivery))
        else:
            _log.info("request dropped: its deadline has passed", operation=name)
            delivery.ack()
        return None

    def _settle(self, delivery: Delivery, found: Answer | None) -> None:
        """Reply, then ack, so that a server which dies between the two leaves no caller without an answer."""
        if found is None:
            _log.warning("handler stopped", operation=delivery.routing_key)
        elif reply_to := delivery.reply_to:
            self._reply(delivery, reply_to, found)
        delivery.ack()

    def _reply(self, delivery: Delivery, reply_to: str, found: Answer) -> None:
        """Never mandatory: brokers up to 4.1 return replies although they deliver them."""
        publisher = self._publishers[found.kind]
        correlation_id = delivery.correlation_id
        try:
            publisher.publish(found.body, routing_key=reply_to, correlation_id=correlation_id)
        except (Blocked, ConnectionLost):
            late = self._reply_late(publisher, reply_to, found, correlation_id)
            self._late.start(late, done=_nothing, within=_LATE_REPLY)

    async def _reply_late(
        self, publisher: Publisher, reply_to: str, found: Answer, correlation_id: str | None
    ) -> None:
        """After an outage requests may come before replies can go."""
        try:
            await self._replies.ready(_LATE_REPLY)
            publisher.publish(found.body, routing_key=reply_to, correlation_id=correlation_id)
        except AmqpError as error:
            _log.warning("reply lost: the broker takes none", error=type(error).__name__)


def _nothing(_: None) -> None:
    """A late reply has nobody to tell."""
