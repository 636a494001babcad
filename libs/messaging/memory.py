"""The bus in memory: the same promises without a broker, for the tests of whoever builds on Gatehouse."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

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
    UnknownOperation,
    Unreadable,
)
from libs.messaging.handlers import Handlers, Lane, Listeners
from libs.messaging.listener import Answer, answer, hear, refusal
from libs.messaging.message import EventMessage
from libs.messaging.workers import Workers


@dataclass
class _LaneQueue:
    """A lane's processes share its queue: waiting requests are bounded, and so are those that run."""

    lane: Lane
    servers: list[_Server] = field(default_factory=list)
    waiting: int = 0
    slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.slots = asyncio.Semaphore(self.lane.slots)


@dataclass
class _EventQueue:
    """A service's processes share its queue, and each event goes to one of them."""

    hearings: list[_Hearing] = field(default_factory=list)
    waiting: list[EventMessage] = field(default_factory=list)
    """What was stopped half-way while nobody else could take it."""

    def hears(self, name: str) -> bool:
        return any(name in one.listeners.routes for one in self.hearings)

    def put(self, message: EventMessage) -> None:
        """To whoever has not had one for the longest time."""
        for one in self.hearings:
            if message.name in one.listeners.routes:
                self.hearings.append(self.hearings.pop(self.hearings.index(one)))
                one.deliver(message)
                return
        self.waiting.append(message)

    def join(self, hearing: _Hearing) -> None:
        """One more process hears, beginning with what waits."""
        self.hearings.append(hearing)
        waiting, self.waiting = self.waiting, []
        for message in waiting:
            self.put(message)


class MemoryBroker:
    """What the buses of one test share: queues, bindings, the log of client-facing events, dead letters."""

    def __init__(self) -> None:
        self.bindings: dict[str, _LaneQueue] = {}
        self.queues: dict[tuple[str, str], _LaneQueue] = {}
        self.shared: dict[str, _EventQueue] = defaultdict(_EventQueue)
        self.controls: list[_Hearing] = []
        self.log: list[EventMessage] = []
        """Client-facing events in the order of their publication."""
        self.dead_letters: list[EventMessage] = []


@dataclass(eq=False)
class _Server(Subscription):
    """One process that serves a table."""

    broker: MemoryBroker
    handlers: Handlers
    drain_timeout: float
    tasks: Workers[Answer] = field(default_factory=Workers)

    def start(self) -> None:
        for name, lane in self.handlers.lanes.items():
            queue = self.broker.queues.setdefault((self.handlers.service, name), _LaneQueue(lane))
            queue.servers.append(self)
            for operation in self.handlers.in_lane(name):
                self.broker.bindings[operation.name] = queue

    @override
    async def stop(self) -> None:
        for name in self.handlers.lanes:
            queue = self.broker.queues[self.handlers.service, name]
            if self in queue.servers:
                queue.servers.remove(self)
        await self.tasks.finish(self.drain_timeout)

    async def run(self, queue: _LaneQueue, operation: str, body: bytes, caller: Caller) -> Answer:
        """Wait for a free slot of the lane, then answer."""
        queue.waiting += 1
        try:
            await queue.slots.acquire()
        finally:
            queue.waiting -= 1
        try:
            route = self.handlers.routes.get(operation)
            return (
                refusal(UnknownOperation(operation)) if route is None else await answer(route, body, caller)
            )
        finally:
            queue.slots.release()


@dataclass(eq=False)
class _Hearing(ControlSubscription):
    """One process that hears a table's events."""

    broker: MemoryBroker
    listeners: Listeners
    bus: MemoryBus
    drain_timeout: float
    event_timeout: float
    queue: _EventQueue | None
    """None where it is a control queue, which nobody shares."""
    stopping: bool = False
    tasks: Workers[bool] = field(default_factory=Workers)

    @property
    @override
    def hears(self) -> bool:
        return self.bus.connected and self in self.broker.controls

    def deliver(self, message: EventMessage) -> None:
        event, listener = self.listeners.routes[message.name]
        caller = Caller(traceparent=message.traceparent, request_id=message.message_id)

        def settle(heard: bool | None) -> None:  # ruff: ignore[boolean-type-hint-positional-argument]  what hear() says
            if heard is None and self.stopping:
                if self.queue is not None:
                    self.queue.put(message)
            elif not heard:
                self.broker.dead_letters.append(message)

        work = hear(event, listener, message.body, caller)
        self.tasks.start(work, done=settle, within=self.event_timeout)

    @override
    async def stop(self) -> None:
        self.stopping = True
        hearings = self.broker.controls if self.queue is None else self.queue.hearings
        if self in hearings:
            hearings.remove(self)
        await self.tasks.finish(self.drain_timeout)


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

    def _route(self, operation: AnyOperation) -> tuple[_Server, _LaneQueue]:
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
        server = _Server(self.broker, handlers, self._drain_timeout)
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

    def _hearing(self, listeners: Listeners, queue: _EventQueue | None = None) -> _Hearing:
        hearing = _Hearing(self.broker, listeners, self, self._drain_timeout, self._event_timeout, queue)
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
