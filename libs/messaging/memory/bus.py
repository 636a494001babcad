"""A process's end of the bus in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from typing_extensions import override

from libs.messaging.bus import Bus, ControlSubscription, Subscription
from libs.messaging.caller import Caller, current_caller
from libs.messaging.contract import AnyOperation, Event, Operation, PayloadT, ReplyT, RequestT
from libs.messaging.deadline import Deadline
from libs.messaging.errors import (
    AppError,
    Interrupted,
    Overloaded,
    Problem,
    TimedOut,
    Unavailable,
    Unreadable,
)
from libs.messaging.handlers import Handlers, Listeners
from libs.messaging.listener import Answer
from libs.messaging.memory.broker import EventQueue, Hearing, LaneQueue, MemoryBroker, Server
from libs.messaging.message import EventMessage


class MemoryBus(Bus):
    """A process's end of a `MemoryBroker`; bodies are encoded and decoded as on the wire."""

    def __init__(
        self,
        broker: MemoryBroker | None = None,
        *,
        max_in_flight: int = 10_000,
        drain_timeout: float = 20.0,
        event_timeout: float = 60.0,
    ) -> None:
        """How long a stop waits for running handlers, and how long a listener may take for one event: in seconds."""
        self.broker = broker or MemoryBroker()
        self._max_in_flight = max_in_flight
        self._drain_timeout = drain_timeout
        self._event_timeout = event_timeout
        self._waiting: set[asyncio.Future[Answer]] = set()
        self._subscriptions: list[Subscription] = []
        self._closed = False

    @property
    @override
    def connected(self) -> bool:
        return not self._closed

    @override
    async def call(
        self, operation: Operation[RequestT, ReplyT], request: RequestT, *, timeout: float | None = None
    ) -> ReplyT:
        caller = current_caller() if timeout is None else current_caller().within(timeout)
        return operation.decode_reply(
            await self.forward(operation, operation.encode_request(request), caller)
        )

    @override
    async def forward(self, operation: AnyOperation, body: bytes, caller: Caller) -> bytes:
        deadline = (caller.deadline or Deadline.after(operation.timeout)).within(operation.timeout)
        budget = deadline.remaining
        if budget <= 0:
            raise TimedOut(operation.name)
        if len(self._waiting) >= self._max_in_flight:
            raise Overloaded(operation.name)
        reply = await self._ask(operation, body, caller._replace(deadline=deadline), budget)
        if reply.kind == "reply":
            return reply.body
        try:
            problem = Problem.model_validate_json(reply.body)
        except ValueError as error:
            raise Unreadable(operation.name) from error
        raise AppError.from_problem(problem)

    async def _ask(self, operation: AnyOperation, body: bytes, caller: Caller, budget: float) -> Answer:
        reply: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.add(reply)

        def answered(found: Answer | None) -> None:
            if found is not None and not reply.done():
                reply.set_result(found)

        try:
            server, queue = self._route(operation)
            server.tasks.start(server.run(queue, operation.name, body, caller), done=answered, within=budget)
            async with asyncio.timeout(budget):
                return await reply
        except TimeoutError:
            raise TimedOut(operation.name) from None
        finally:
            self._waiting.discard(reply)

    def _route(self, operation: AnyOperation) -> tuple[Server, LaneQueue]:
        queue = self.broker.bindings.get(operation.name)
        if self._closed or queue is None or not queue.servers:
            raise Unavailable(operation.name)
        if queue.slots.locked() and queue.waiting >= queue.lane.max_length:
            raise Overloaded(operation.name)
        queue.servers.append(queue.servers.pop(0))
        return queue.servers[-1], queue

    @override
    async def publish(
        self, event: Event[PayloadT], payload: PayloadT, *, channel: str = "", mandatory: bool = False
    ) -> None:
        await self.send(EventMessage.of(event, payload, channel=channel, mandatory=mandatory))

    @override
    async def send(self, message: EventMessage) -> None:
        if self._closed:
            raise Unavailable(message.name)
        if message.channel:
            self.broker.log.append(message)
            return
        controls = [one for one in self.broker.controls if message.name in one.listeners.routes]
        queues = [one for one in self.broker.shared.values() if one.hears(message.name)]
        if message.mandatory and not controls and not queues:
            raise Unavailable(f"nobody hears {message.name}")
        for control in controls:
            control.deliver(message)
        for queue in queues:
            queue.put(message)

    @override
    async def serve(self, handlers: Handlers) -> Subscription:
        server = Server(self.broker, handlers, self._drain_timeout)
        server.start()
        self._subscriptions.append(server)
        return server

    @override
    async def subscribe(self, listeners: Listeners) -> Subscription:
        queue = self.broker.shared[listeners.service]
        hearing = self._hearing(listeners, queue)
        queue.join(hearing)
        return hearing

    @override
    async def control(
        self, listeners: Listeners, *, bound: Callable[[], Awaitable[None]]
    ) -> ControlSubscription:
        hearing = self._hearing(listeners)
        self.broker.controls.append(hearing)
        await bound()
        return hearing

    def _hearing(self, listeners: Listeners, queue: EventQueue | None = None) -> Hearing:
        hearing = Hearing(
            self.broker, listeners, lambda: self.connected, self._drain_timeout, self._event_timeout, queue
        )
        self._subscriptions.append(hearing)
        return hearing

    @override
    async def drain(self) -> None:
        for subscription in reversed(self._subscriptions):
            await subscription.stop()
        self._subscriptions.clear()

    @override
    async def close(self) -> None:
        await self.drain()
        self._closed = True
        for reply in list(self._waiting):
            if not reply.done():
                reply.set_exception(Interrupted())
