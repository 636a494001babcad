"""The topology methods of a channel; what they make is made again after a loss."""

from collections.abc import Callable, Mapping
from typing import Any

from libs.amqp import declare
from libs.amqp.channel_protocol import ChannelProtocol
from libs.amqp.methods import ExchangeClass, QueueClass
from libs.amqp.request import request
from libs.amqp.topology import Binding, DeclaredQueue, Exchange, Queue, Topology


class Declarations:
    """Declaring, binding and deleting.

    Each method takes `timeout` in seconds (None: the connection's own) and raises the broker's refusal as
    ChannelClosed (AccessRefused, NotFound, ResourceLocked, PreconditionFailed), ConnectionLost or CallTimeout.
    None of these, nor a cancelled wait, disturbs anything else on the channel.
    """

    def __init__(self, protocol: ChannelProtocol, topology: Topology, timeout: float) -> None:
        self.protocol = protocol
        self.timeout = timeout
        self._topology = topology

    async def declare_exchange(
        self, exchange: Exchange, *, passive: bool = False, timeout: float | None = None
    ) -> None:
        """Make the exchange, or check that it is there as said. `passive` only asks whether it exists."""
        await declare.declare_exchange(self.protocol, exchange, passive=passive, timeout=self._limit(timeout))
        if not passive:
            self._topology.exchanges[exchange.name] = exchange

    async def declare_queue(
        self,
        queue: Queue,
        *,
        passive: bool = False,
        on_renamed: Callable[[str], None] | None = None,
        timeout: float | None = None,
    ) -> DeclaredQueue:
        """Make the queue, or check that it is there as said. `passive` only asks whether it exists.

        A queue whose name the broker makes up comes back under a new name after a reconnect: `name` of what
        is returned follows, and `on_renamed` is told.
        """
        declared = await declare.declare_queue(
            self.protocol, queue, passive=passive, timeout=self._limit(timeout)
        )
        if not passive:
            declared.on_renamed = on_renamed
            self._topology.queues[declared.name] = declared
        return declared

    async def bind_queue(
        self,
        queue: str | DeclaredQueue,
        exchange: str,
        routing_key: str = "",
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> None:
        """Route from an exchange to a queue."""
        await self.bind(_binding(queue, exchange, routing_key, arguments), timeout=timeout)

    async def unbind_queue(
        self,
        queue: str | DeclaredQueue,
        exchange: str,
        routing_key: str = "",
        arguments: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> None:
        """Take back such a route; one that is not there is no error."""
        await self.unbind(_binding(queue, exchange, routing_key, arguments), timeout=timeout)

    async def bind(self, binding: Binding, *, timeout: float | None = None) -> None:
        """Route from an exchange to a queue or to another exchange."""
        await declare.bind(self.protocol, binding, timeout=self._limit(timeout))
        self._topology.bind(binding)

    async def unbind(self, binding: Binding, *, timeout: float | None = None) -> None:
        """Take back such a route; one that is not there is no error."""
        self._topology.unbind(binding)
        await declare.unbind(self.protocol, binding, timeout=self._limit(timeout))

    async def delete_queue(
        self,
        queue: str | DeclaredQueue,
        *,
        if_unused: bool = False,
        if_empty: bool = False,
        timeout: float | None = None,
    ) -> int:
        """Delete a queue and tell how many messages went with it; one that is not there is no error."""
        answer = await request(
            self.protocol,
            QueueClass.Delete,
            QueueClass.DeleteOk,
            timeout=self._limit(timeout),
            queue=str(queue),
            if_unused=if_unused,
            if_empty=if_empty,
        )
        self._topology.forget_queue(str(queue))
        return answer.message_count or 0

    async def purge_queue(self, queue: str | DeclaredQueue, *, timeout: float | None = None) -> int:
        """Drop the messages that are ready in a queue and tell how many they were."""
        answer = await request(
            self.protocol,
            QueueClass.Purge,
            QueueClass.PurgeOk,
            timeout=self._limit(timeout),
            queue=str(queue),
        )
        return answer.message_count or 0

    async def delete_exchange(
        self, name: str, *, if_unused: bool = False, timeout: float | None = None
    ) -> None:
        """Delete an exchange; one that is not there is no error."""
        await request(
            self.protocol,
            ExchangeClass.Delete,
            ExchangeClass.DeleteOk,
            timeout=self._limit(timeout),
            exchange=name,
            if_unused=if_unused,
        )
        self._topology.forget_exchange(name)

    def _limit(self, timeout: float | None) -> float:
        return self.timeout if timeout is None else timeout


def _binding(
    queue: str | DeclaredQueue, exchange: str, routing_key: str, arguments: Mapping[str, Any] | None
) -> Binding:
    return Binding(
        source=exchange, destination=str(queue), routing_key=routing_key, arguments=arguments or {}
    )
