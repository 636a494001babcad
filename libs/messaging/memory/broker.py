"""What the buses of one test share, in a broker's place: queues, and who serves and hears at their ends."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from typing_extensions import override

from libs.messaging.bus import ControlSubscription, Subscription
from libs.messaging.caller import Caller
from libs.messaging.errors import UnknownOperation
from libs.messaging.handlers import Handlers, Lane, Listeners
from libs.messaging.listener import Answer, answer, hear, refusal
from libs.messaging.message import EventMessage
from libs.messaging.workers import Workers


@dataclass
class LaneQueue:
    """A lane's processes share its queue: waiting requests are bounded, and so are those that run."""

    lane: Lane
    servers: list[Server] = field(default_factory=list)
    waiting: int = 0
    slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.slots = asyncio.Semaphore(self.lane.slots)


@dataclass
class EventQueue:
    """A service's processes share its queue, and each event goes to one of them."""

    hearings: list[Hearing] = field(default_factory=list)
    waiting: list[EventMessage] = field(default_factory=list)
    """What was stopped half-way while nobody else could take it."""

    def hears(self, name: str) -> bool:
        """Whether the event goes to this queue."""
        return any(name in one.listeners.routes for one in self.hearings)

    def put(self, message: EventMessage) -> None:
        """To whoever has not had one for the longest time."""
        for one in self.hearings:
            if message.name in one.listeners.routes:
                self.hearings.append(self.hearings.pop(self.hearings.index(one)))
                one.deliver(message)
                return
        self.waiting.append(message)

    def join(self, hearing: Hearing) -> None:
        """One more process hears, beginning with what waits."""
        self.hearings.append(hearing)
        waiting, self.waiting = self.waiting, []
        for message in waiting:
            self.put(message)


class MemoryBroker:
    """What the buses of one test share: queues, bindings, the log of client-facing events, dead letters."""

    def __init__(self) -> None:
        self.bindings: dict[str, LaneQueue] = {}
        self.queues: dict[tuple[str, str], LaneQueue] = {}
        self.shared: dict[str, EventQueue] = defaultdict(EventQueue)
        self.controls: list[Hearing] = []
        self.log: list[EventMessage] = []
        """Client-facing events in the order of their publication."""
        self.dead_letters: list[EventMessage] = []


@dataclass(eq=False)
class Server(Subscription):
    """One process that serves a table."""

    broker: MemoryBroker
    handlers: Handlers
    drain_timeout: float
    tasks: Workers[Answer] = field(default_factory=Workers)

    def start(self) -> None:
        """Take a share of each lane's queue."""
        for name, lane in self.handlers.lanes.items():
            queue = self.broker.queues.setdefault((self.handlers.service, name), LaneQueue(lane))
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

    async def run(self, queue: LaneQueue, operation: str, body: bytes, caller: Caller) -> Answer:
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
class Hearing(ControlSubscription):
    """One process that hears a table's events."""

    broker: MemoryBroker
    listeners: Listeners
    connected: Callable[[], bool]
    drain_timeout: float
    event_timeout: float
    queue: EventQueue | None
    """None where it is a control queue, which nobody shares."""
    stopping: bool = False
    tasks: Workers[bool] = field(default_factory=Workers)

    @property
    @override
    def hears(self) -> bool:
        return self.connected() and self in self.broker.controls

    def deliver(self, message: EventMessage) -> None:
        """Start its listener, and settle the event by how that ends."""
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
