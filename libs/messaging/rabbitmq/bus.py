"""The bus over RabbitMQ: connections of their own for what is published, called and consumed.

So a blocked publisher never holds acks back, and the confirms of requests can be read in heaps.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Self

import structlog
from typing_extensions import override

from libs.amqp import AmqpError, Backoff, Channel, Connection, Queue
from libs.messaging.bus import Bus, ControlSubscription, Subscription
from libs.messaging.caller import Caller, current_caller
from libs.messaging.contract import AnyOperation, Event, Operation, PayloadT, ReplyT, RequestT
from libs.messaging.errors import TimedOut, Unavailable
from libs.messaging.handlers import Handlers, Listeners
from libs.messaging.message import EventMessage
from libs.messaging.rabbitmq.appending import Appender
from libs.messaging.rabbitmq.calls import Calls
from libs.messaging.rabbitmq.control import Control
from libs.messaging.rabbitmq.declare import declare
from libs.messaging.rabbitmq.events import EventPublisher, Hearing, event_properties
from libs.messaging.rabbitmq.serving import Serving
from libs.messaging.rabbitmq.stopping import answered
from libs.messaging.settings import BrokerSettings
from libs.messaging.topology import Topology, event_queue

_log = structlog.get_logger(__name__)
_PUBLISH_BUDGET = 10.0  # s, for an event whose publisher has no deadline
_CONFIRMS_READ_EVERY = 0.01  # s; a request's confirm only matters where it says that there will be no reply
_LONGEST_BACKOFF = 5.0  # s, so that a service is back within seconds of its broker
_CLOSE_BUDGET = 5.0  # s, for the confirms that are outstanding at the end, and then for the broker's good-bye


@dataclass(frozen=True, slots=True)
class _Lines:
    """The connections of one process, and the channels that each have one use."""

    calling: Connection
    publishing: Connection
    consuming: Connection
    topology: Channel
    requests: Channel
    replies: Channel
    events: Channel

    @property
    def connections(self) -> tuple[Connection, ...]:
        """All of them."""
        return self.consuming, self.calling, self.publishing


async def _open_lines(settings: BrokerSettings, name: str, opened: AsyncExitStack) -> _Lines:
    async def connect(purpose: str, read_pause: float = 0.0) -> Connection:
        made = await Connection.open(
            settings.endpoints,
            name=f"{name}.{purpose}",
            heartbeat=settings.heartbeat,
            backoff=Backoff(maximum=_LONGEST_BACKOFF),
            read_pause=read_pause,
        )
        opened.push_async_callback(made.close)
        return made

    calling = await connect("calling", _CONFIRMS_READ_EVERY)
    publishing = await connect("publishing")
    return _Lines(
        calling=calling,
        publishing=publishing,
        consuming=await connect("consuming"),
        topology=await publishing.channel(),
        requests=await calling.channel(confirms=True),
        replies=await publishing.channel(),
        events=await publishing.channel(confirms=True),
    )


class RabbitBus(Bus):
    """A process's end of the broker, made by `open`."""

    def __init__(self, name: str, settings: BrokerSettings, lines: _Lines) -> None:
        self._process = f"{name}-{secrets.token_hex(4)}"
        self._settings = settings
        self._lines = lines
        self._calls = Calls(lines.requests, user=settings.user, max_in_flight=settings.max_in_flight)
        self._events = EventPublisher(lines.events)
        self._log = Appender(lines.publishing)
        self._subscriptions: list[Subscription] = []
        self._controls = 0
        self._closed = False

    @classmethod
    async def open(cls, settings: BrokerSettings, *, name: str) -> Self:
        """Connect as the process ``name``; raises `libs.amqp.ConnectionFailed` where no broker lets us in."""
        async with AsyncExitStack() as opened:
            lines = await _open_lines(settings, name, opened)
            bus = cls(name, settings, lines)
            await bus._hear_replies()
            opened.pop_all()
        return bus

    async def _hear_replies(self) -> None:
        """Consume the replies from an exclusive queue, which comes back under another name after a loss."""

        def renamed(name: str) -> None:
            self._calls.reply_queue = name

        channel = await self._lines.consuming.channel()
        queue = await channel.declare_queue(Queue(durable=False, exclusive=True), on_renamed=renamed)
        await channel.consume(queue, self._calls.on_reply, no_ack=True)
        self._calls.reply_queue = queue.name
        self._lines.consuming.on_lost(lambda _: self._calls.interrupt())

    @property
    @override
    def connected(self) -> bool:
        return not self._closed and all(line.is_open for line in self._lines.connections)

    async def check(self) -> None:
        """Answer, or raise Unavailable: its connections stand and the broker takes publications."""
        if not self.connected:
            raise Unavailable("not connected to the broker")
        if any(line.blocked for line in self._lines.connections):
            raise Unavailable("the broker takes no publications")

    async def declare(self, topology: Topology) -> None:
        """Make the topology stand; raises `TopologyConflict` where it exists in another shape."""
        await declare(self._lines.topology, topology)

    @override
    async def call(
        self, operation: Operation[RequestT, ReplyT], request: RequestT, *, timeout: float | None = None
    ) -> ReplyT:
        caller = current_caller() if timeout is None else current_caller().within(timeout)
        body = await self._calls.ask(operation, operation.encode_request(request), caller)
        return operation.decode_reply(body)

    @override
    async def forward(self, operation: AnyOperation, body: bytes, caller: Caller) -> bytes:
        return await self._calls.ask(operation, body, caller, caller.request_id)

    @override
    async def publish(
        self, event: Event[PayloadT], payload: PayloadT, *, channel: str = "", mandatory: bool = False
    ) -> None:
        await self.send(EventMessage.of(event, payload, channel=channel, mandatory=mandatory))

    @override
    async def send(self, message: EventMessage) -> None:
        if self._closed:
            raise Unavailable(message.name)
        deadline = current_caller().deadline
        within = _PUBLISH_BUDGET if deadline is None else min(_PUBLISH_BUDGET, deadline.remaining)
        if within <= 0:
            raise TimedOut(message.name)
        if message.channel:
            await self._log.append(event_properties(message), message.body, within=within)
        else:
            await self._events.send(message, within)

    @override
    async def serve(self, handlers: Handlers) -> Subscription:
        serving = Serving(handlers, self._lines.replies, self._settings)
        self._subscriptions.append(serving)
        await serving.start(self._lines.consuming)
        return serving

    @override
    async def subscribe(self, listeners: Listeners) -> Subscription:
        hearing = Hearing(listeners, self._settings)
        self._subscriptions.append(hearing)
        await hearing.start(self._lines.consuming, event_queue(listeners.service))
        return hearing

    @override
    async def control(
        self, listeners: Listeners, *, bound: Callable[[], Awaitable[None]]
    ) -> ControlSubscription:
        self._controls += 1
        process = self._process if self._controls == 1 else f"{self._process}.{self._controls}"
        control = Control(listeners, self._settings, process=process, bound=bound)
        self._subscriptions.append(control)
        await control.bind(self._lines.consuming)
        return control

    @override
    async def drain(self) -> None:
        stopping, self._subscriptions = self._subscriptions, []
        stopped = await asyncio.gather(*(each.stop() for each in stopping), return_exceptions=True)
        for failure in filter(None, stopped):
            _log.error("subscription_not_stopped", exc_info=failure)
        try:
            await self._lines.events.wait_for_confirms(_CLOSE_BUDGET)
        except AmqpError:
            return  # whoever published was told

    @override
    async def close(self) -> None:
        if self._closed:
            return
        await self.drain()
        self._closed = True
        self._calls.interrupt()
        await answered(*(line.close(_CLOSE_BUDGET) for line in self._lines.connections))
