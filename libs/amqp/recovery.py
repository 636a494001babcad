"""Bringing back what was declared, in an order in which each step finds what it needs."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from libs.amqp import declare
from libs.amqp.channel_protocol import ChannelProtocol
from libs.amqp.errors import CallTimeout, ChannelClosed, ConnectionLost
from libs.amqp.topology import Binding, DeclaredQueue, Exchange, Topology

logger = logging.getLogger(__name__)

Thing = TypeVar("Thing")


@dataclass(slots=True)
class Missing:
    """What is to be declared again."""

    exchanges: Sequence[Exchange] = ()
    queues: Sequence[DeclaredQueue] = ()
    bindings: Sequence[Binding] = ()

    @classmethod
    def all_of(cls, topology: Topology) -> Self:
        """Everything that a connection has declared."""
        return cls(list(topology.exchanges.values()), list(topology.queues.values()), topology.bindings)

    def with_what_goes_along(self, topology: Topology) -> Self:
        """This, and what may have gone meanwhile because this was missing.

        Whatever stood in a queue's place takes the bindings along when it is deleted; an auto-delete exchange goes with its
        last binding.
        """
        bindings = {each.identity: each for each in self.bindings}
        for queue in self.queues:
            bindings |= {each.identity: each for each in topology.bindings_to(queue.name)}
        exchanges = {each.name: each for each in self.exchanges}
        for name in (each.source for each in bindings.values()):
            if name in topology.exchanges:
                exchanges[name] = topology.exchanges[name]
        return type(self)(list(exchanges.values()), self.queues, list(bindings.values()))

    def still_wanted(self, topology: Topology) -> Self:
        """What of this the program has not taken back meanwhile."""
        bound = {each.identity for each in topology.bindings}
        return type(self)(
            [each for each in self.exchanges if topology.exchanges.get(each.name) == each],
            [each for each in self.queues if topology.queues.get(each.name) is each],
            [each for each in self.bindings if each.identity in bound],
        )

    def __bool__(self) -> bool:
        return bool(self.exchanges or self.queues or self.bindings)


class Restorer:
    """Declares again over a channel of its own, so that a refusal disturbs nobody.

    One thing that cannot be restored does not stop the others: it stays in what `restore` returns.
    """

    def __init__(self, channel: ChannelProtocol, timeout: float, renamed: Callable[[str, str], None]) -> None:
        self._channel = channel
        self._timeout = timeout
        self._renamed = renamed

    async def restore(self, missing: Missing) -> Missing:
        """Declare it all; return what could not be declared. Raises ConnectionLost."""
        renamed: dict[str, str] = {}

        async def declare_exchange(exchange: Exchange) -> None:
            await declare.declare_exchange(self._channel, exchange, passive=False, timeout=self._timeout)

        async def declare_queue(known: DeclaredQueue) -> None:
            fresh = await declare.declare_queue(
                self._channel, known.queue, passive=False, timeout=self._timeout
            )
            if fresh.name != known.name:
                renamed[known.name] = fresh.name
                self._renamed(known.name, fresh.name)

        async def bind(binding: Binding) -> None:
            await declare.bind(self._channel, binding, timeout=self._timeout)

        exchanges = await _each(missing.exchanges, declare_exchange)
        queues = await _each(missing.queues, declare_queue)
        bindings = await _each([binding.moved(renamed) for binding in missing.bindings], bind)
        return Missing(exchanges, queues, bindings)


async def _each(
    things: Sequence[Thing], restore: Callable[[Thing], Coroutine[Any, Any, None]]
) -> list[Thing]:
    """Restore all of them in one go; return those that the broker refused, or that failed in any other way."""
    results = await asyncio.gather(*map(restore, things), return_exceptions=True)
    failed = []
    for thing, result in zip(things, results, strict=True):
        if isinstance(result, ConnectionLost | asyncio.CancelledError):
            raise result
        if result is not None:
            expected = isinstance(result, ChannelClosed | CallTimeout)
            trace = None if expected else result
            logger.error("not restored, will be tried again: %s: %s", thing, result, exc_info=trace)
            failed.append(thing)
    return failed
