"""Making a topology stand in the broker: idempotent, checked, and never in a loop."""

from __future__ import annotations

import re

from libs.amqp import Channel, Exchange, PreconditionFailed, Queue
from libs.messaging.topology import Topology

_DIFFERENT = re.compile(
    r"inequivalent arg '(?P<argument>[^']+)'.*received (?P<wanted>.+?) but current is (?P<found>.+)"
)


class TopologyConflict(Exception):
    """A queue or exchange exists with other arguments than this version asks for."""

    def __init__(self, kind: str, name: str, error: PreconditionFailed) -> None:
        different = _DIFFERENT.search(error.text)
        what = (
            f"has {different['argument']} = {different['found']}, wanted {different['wanted']}"
            if different
            else f"cannot be declared: {error.text}"
        )
        super().__init__(
            f"{kind} {name!r} {what}; stop its services, empty and delete it "
            f"(rabbitmqctl delete_queue {name}), or set the old value"
            if kind == "queue"
            else f"{kind} {name!r} {what}; delete it, or set the old value"
        )


async def declare(channel: Channel, topology: Topology) -> None:
    """Declare exchanges, queues and bindings, and drop the stale bindings.

    Raises `TopologyConflict` at the first thing that exists with other arguments. Stale bindings go before new ones
    come: an operation is for a moment bound to no queue (its callers are told to come again), but never to two.
    """
    for exchange in topology.exchanges:
        try:
            await channel.declare_exchange(Exchange(name=exchange.name, type=exchange.kind))
        except PreconditionFailed as error:
            raise TopologyConflict("exchange", exchange.name, error) from error
    for queue in topology.queues:
        try:
            await channel.declare_queue(Queue(name=queue.name, arguments=queue.arguments))
        except PreconditionFailed as error:
            raise TopologyConflict("queue", queue.name, error) from error
    for stale in topology.stale:
        await channel.unbind_queue(stale.queue, stale.exchange, stale.routing_key)
    for binding in topology.bindings:
        await channel.bind_queue(binding.queue, binding.exchange, binding.routing_key)
