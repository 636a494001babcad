"""Every name on the wire, and what has to stand in the broker before a service speaks: data, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from libs.messaging.handlers import Handlers, Listeners

RPC_EXCHANGE = "gatehouse.rpc"
EVENTS_EXCHANGE = "gatehouse.events"
DEAD_EXCHANGE = "gatehouse.dead"
REALTIME_STREAM = "gatehouse.realtime"

_UNUSED_QUEUE_LIVES = 30_000  # ms after its last server left, so that calls to nobody are known at once


def rpc_queue(service: str, lane: str = "") -> str:
    """`gatehouse.rpc.auth`, or `gatehouse.rpc.auth.hashing` for a lane."""
    return ".".join(part for part in (RPC_EXCHANGE, service, lane) if part)


def event_queue(service: str) -> str:
    """The queue that a service's processes share."""
    return f"{EVENTS_EXCHANGE}.{service}"


def dead_queue(service: str) -> str:
    """Where a service's dead letters lie."""
    return f"{DEAD_EXCHANGE}.{service}"


def control_queue(process: str) -> str:
    """The queue of one process."""
    return f"gatehouse.control.{process}"


@dataclass(frozen=True, slots=True)
class ExchangeSpec:
    """A durable exchange."""

    name: str
    kind: Literal["direct", "topic"]


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """A durable queue."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BindingSpec:
    """A queue hears a routing key of an exchange."""

    queue: str
    exchange: str
    routing_key: str


@dataclass(frozen=True, slots=True)
class Topology:
    """What must stand, and the ``stale`` bindings that must not."""

    exchanges: tuple[ExchangeSpec, ...] = ()
    queues: tuple[QueueSpec, ...] = ()
    bindings: tuple[BindingSpec, ...] = ()
    stale: tuple[BindingSpec, ...] = ()

    def __add__(self, other: Topology) -> Topology:
        """Both, each thing once."""
        return Topology(
            tuple(dict.fromkeys(self.exchanges + other.exchanges)),
            self.queues + tuple(one for one in other.queues if one not in self.queues),
            tuple(dict.fromkeys(self.bindings + other.bindings)),
            tuple(dict.fromkeys(self.stale + other.stale)),
        )


SHARED = Topology(
    exchanges=(
        ExchangeSpec(RPC_EXCHANGE, "direct"),
        ExchangeSpec(EVENTS_EXCHANGE, "topic"),
        ExchangeSpec(DEAD_EXCHANGE, "direct"),
    )
)
"""The exchanges, which every service declares."""


def realtime_log(*, max_age: str = "24h", max_bytes: int = 1_073_741_824) -> Topology:
    """The log of client-facing events: a stream that keeps ``max_age`` and ``max_bytes``, whichever is less.

    A stream is cut by whole segments, so a segment is an eighth of it: with the broker's default of 500 MB a smaller
    log would never be cut at all.
    """
    arguments = {
        "x-queue-type": "stream",
        "x-max-age": max_age,
        "x-max-length-bytes": max_bytes,
        "x-stream-max-segment-size-bytes": max_bytes // 8,
    }
    return SHARED + Topology(
        queues=(QueueSpec(REALTIME_STREAM, arguments),),
        bindings=(BindingSpec(REALTIME_STREAM, EVENTS_EXCHANGE, "realtime.#"),),
    )


def served(handlers: Handlers, *, queue_type: Literal["classic", "quorum"] = "classic") -> Topology:
    """The queues of a service's lanes, with its operations bound to theirs and unbound from all others.

    An operation that two queues hear would run twice.
    """
    lanes = handlers.lanes
    queues = tuple(
        QueueSpec(
            rpc_queue(handlers.service, name),
            {
                "x-queue-type": queue_type,
                "x-max-length": lane.max_length,
                "x-overflow": "reject-publish",
                "x-expires": _UNUSED_QUEUE_LIVES,
            },
        )
        for name, lane in lanes.items()
    )
    operations = [route.operation for route in handlers.routes.values()]

    def bindings(*, own: bool) -> Iterable[BindingSpec]:
        for operation in operations:
            # the main queue, and those of former lanes, may stand from an earlier version
            for name in dict.fromkeys(("", *lanes, *handlers.former_lanes)):
                if (operation.lane == name) is own:
                    yield BindingSpec(rpc_queue(handlers.service, name), RPC_EXCHANGE, operation.name)

    return SHARED + Topology(
        queues=queues, bindings=tuple(bindings(own=True)), stale=tuple(bindings(own=False))
    )


def heard(listeners: Listeners) -> Topology:
    """The event queue of a service with its dead letters behind it.

    Dead-lettering is at least once: a dead letter leaves the queue only when `gatehouse.dead` has confirmed it.
    """
    service = listeners.service
    event_arguments = {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": DEAD_EXCHANGE,
        "x-dead-letter-routing-key": service,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    return SHARED + Topology(
        queues=(
            QueueSpec(dead_queue(service), {"x-queue-type": "quorum"}),
            QueueSpec(event_queue(service), event_arguments),
        ),
        bindings=(
            BindingSpec(dead_queue(service), DEAD_EXCHANGE, service),
            *(BindingSpec(event_queue(service), EVENTS_EXCHANGE, name) for name in listeners.routes),
        ),
    )
