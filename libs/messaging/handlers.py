"""Tables of handlers: operation -> method, event -> method. A service is such a table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from libs.messaging.access import permit
from libs.messaging.caller import Caller
from libs.messaging.contract import AnyEvent, AnyOperation, Event, Operation, PayloadT, ReplyT, RequestT

Handler: TypeAlias = Callable[[RequestT, Caller], Awaitable[ReplyT]]
Listener: TypeAlias = Callable[[PayloadT], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Lane:
    """A queue of a service: ``slots`` requests run at once, ``max_length`` more may wait; the rest are overloaded."""

    slots: int = 64
    max_length: int = 1000


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table."""

    operation: AnyOperation
    handler: Callable[[Any, Caller], Awaitable[Any]]


def _guarded(
    operation: Operation[RequestT, ReplyT], handler: Handler[RequestT, ReplyT]
) -> Handler[RequestT, ReplyT]:
    """The handler behind what its contract says of callers: one that came past the gateway is not believed to be allowed."""
    if operation.access.kind in {"public", "services"}:
        return handler

    def guarded(request: RequestT, caller: Caller) -> Awaitable[ReplyT]:
        permit(operation.access, caller.identity)
        return handler(request, caller)  # not awaited: a coroutine more costs each request something

    return guarded


class Handlers:
    """What a service answers: one row per operation, one queue per lane.

    ``lanes`` sizes the lanes by name; the unnamed lane ``""`` is the service's main queue, and there without being named
    once an operation waits in it. ``former_lanes`` names those that an earlier version had: while one of its processes
    still runs their queues stand, and would hear this version's calls too.
    """

    def __init__(
        self,
        service: str,
        *,
        lanes: Mapping[str, Lane] = MappingProxyType({}),
        former_lanes: Collection[str] = (),
    ) -> None:
        if not lanes.keys().isdisjoint(former_lanes):
            raise ValueError(f"a lane of {service} cannot be a former one too")
        self.service = service
        self.former_lanes = tuple(former_lanes)
        self.routes: dict[str, Route] = {}
        self._lanes = dict(lanes)

    def on(self, operation: Operation[RequestT, ReplyT], handler: Handler[RequestT, ReplyT]) -> None:
        """Let ``handler`` answer ``operation``; raises ValueError for a second handler or a foreign operation."""
        if operation.service != self.service:
            raise ValueError(f"{operation.name} is not an operation of {self.service}")
        if operation.name in self.routes:
            raise ValueError(f"{operation.name} has a handler already")
        if operation.lane and operation.lane not in self._lanes:
            raise ValueError(f"{operation.name} asks for the lane {operation.lane!r}, which has no size")
        self._lanes.setdefault(operation.lane, Lane())
        self.routes[operation.name] = Route(operation, _guarded(operation, handler))

    @property
    def lanes(self) -> dict[str, Lane]:
        """The lanes by name, with their sizes: each is a queue that is declared and consumed."""
        return dict(self._lanes)

    def in_lane(self, lane: str) -> list[AnyOperation]:
        """The operations that wait in this lane's queue."""
        return [route.operation for route in self.routes.values() if route.operation.lane == lane]


class Listeners:
    """What a service hears: one row per event."""

    def __init__(self, service: str, *, slots: int = 64) -> None:
        self.service = service
        self.slots = slots
        self.routes: dict[str, tuple[AnyEvent, Listener[Any]]] = {}

    def on(self, event: Event[PayloadT], listener: Listener[PayloadT]) -> None:
        """Let ``listener`` hear ``event``; raises ValueError for a second listener or a client-facing event."""
        if event.client_facing:
            raise ValueError(
                f"{event.name} goes to clients through the log; a service cannot subscribe to it"
            )
        if event.name in self.routes:
            raise ValueError(f"{event.name} has a listener already")
        self.routes[event.name] = (event, listener)
