"""A channel as a program uses it: publishing, confirms, consuming."""

import asyncio
import itertools
from collections.abc import Callable
from contextlib import suppress

from libs.amqp.channel_protocol import ChannelProtocol
from libs.amqp.confirms import Confirmation, OnConfirm, Outcome
from libs.amqp.consumer import Consumer
from libs.amqp.declarations import Declarations
from libs.amqp.errors import AmqpError, Blocked, CallTimeout, ConnectionClosed, ConnectionLost
from libs.amqp.gate import Gate
from libs.amqp.properties import Properties, encode_properties
from libs.amqp.publisher import Addresses, Publisher
from libs.amqp.request import answered
from libs.amqp.subscription import Arguments, OnDelivery, Subscription
from libs.amqp.topology import DeclaredQueue, Topology

_NO_PROPERTIES = Properties()


class Channel(Declarations):
    """One channel of a connection, from `Connection.channel` until `close`.

    It survives what happens to it: a lost connection, a close by the broker. What was under way then fails;
    its consumers, prefetch and confirm mode come back by themselves.
    """

    def __init__(
        self,
        protocol: ChannelProtocol,
        topology: Topology,
        *,
        timeout: float,
        window: int,
        is_paused: Callable[[], bool],
        on_closed: Callable[["Channel"], None],
        on_cancelled: Callable[[Subscription], None],
    ) -> None:
        super().__init__(protocol, topology, timeout)
        self._window = window
        self._is_paused = is_paused
        self._on_closed = on_closed
        self._on_cancelled = on_cancelled
        self._addresses = Addresses(protocol.number)
        self._closed = False
        self.wanted: set[Subscription] = set()
        self._tags = itertools.count(1)
        self.gate = Gate()
        protocol.on_confirmed = self.gate.changed

    @property
    def number(self) -> int:
        """Its number on the connection."""
        return self.protocol.number

    @property
    def is_closed(self) -> bool:
        """True once `close` was called."""
        return self._closed

    @property
    def unconfirmed(self) -> int:
        """How many publications await their confirm."""
        return 0 if self.protocol.confirms is None else len(self.protocol.confirms)

    def publisher(
        self,
        exchange: str,
        routing_key: str = "",
        properties: Properties = _NO_PROPERTIES,
        *,
        mandatory: bool = False,
    ) -> Publisher:
        """A publisher that has everything constant encoded once: the fast way."""
        return Publisher(
            self.protocol, self._addresses, exchange, routing_key, properties, mandatory=mandatory
        )

    def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: Properties = _NO_PROPERTIES,
        *,
        mandatory: bool = False,
        on_confirm: OnConfirm | None = None,
    ) -> None:
        """Send one message; `on_confirm` is called once with its outcome on a channel with confirms.

        Never waits: `ready` does. Raises ConnectionLost while there is no connection, Blocked while the
        broker takes no publications, ValueError for properties that cannot be encoded or fit into no frame.
        """
        self._send(exchange, routing_key, body, properties, mandatory, on_confirm)

    def submit(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: Properties = _NO_PROPERTIES,
        *,
        mandatory: bool = False,
    ) -> Confirmation:
        """Send one message and get its confirmation to await, now or later. Raises as `publish`.

        The confirmation fails with Nacked, Returned, ConnectionLost, or the broker's typed refusal.
        """
        outcome: Confirmation = asyncio.get_running_loop().create_future()
        self._send(exchange, routing_key, body, properties, mandatory, outcome)
        return outcome

    async def publish_confirmed(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: Properties = _NO_PROPERTIES,
        *,
        mandatory: bool = False,
        timeout: float | None = None,
    ) -> None:
        """Send one message when the broker takes it, and wait for its confirm, `timeout` seconds in all."""
        limit = self.timeout if timeout is None else timeout
        deadline = asyncio.get_running_loop().time() + limit
        await self.ready(limit)
        confirmation = self.submit(exchange, routing_key, body, properties, mandatory=mandatory)
        try:
            async with asyncio.timeout_at(deadline):
                await confirmation
        except TimeoutError:
            raise CallTimeout(f"not confirmed within {limit:g} s") from None

    async def ready(self, timeout: float | None = None) -> None:
        """Wait until a publication may go: connected, not blocked, neither send buffer nor window full.

        Raises what is still in the way after `timeout` seconds: ConnectionLost or Blocked.
        """
        if self._is_free():
            return
        try:
            await self.gate.until(self._is_free, self.timeout if timeout is None else timeout)
        except TimeoutError:
            obstacle = self._obstacle()
            if obstacle is not None:  # else it went away in the very moment in which the time was up
                raise obstacle from None

    async def wait_for_confirms(self, timeout: float | None = None) -> None:
        """Wait until every publication has its outcome. Raises CallTimeout."""
        try:
            await self.gate.until(lambda: not self.unconfirmed, self.timeout if timeout is None else timeout)
        except TimeoutError:
            raise CallTimeout(f"{self.unconfirmed} publications are still unconfirmed") from None

    async def consume(
        self,
        queue: str | DeclaredQueue,
        callback: OnDelivery,
        *,
        no_ack: bool = False,
        exclusive: bool = False,
        arguments: Arguments | None = None,
        prefetch: int | None = None,
        on_restored: Callable[[], None] | None = None,
        timeout: float | None = None,
    ) -> Consumer:
        """Start a consumer. `callback` is called with each delivery as it is read from the socket.

        It must not block; what takes time belongs into a task. `prefetch` bounds this consumer's unsettled
        deliveries (None: the channel's own bound). `arguments` may be a callable, asked at every restore.
        `on_restored` is called each time the consumer runs again after an interruption.
        """
        subscription = Subscription(
            tag=f"{self.number}.{next(self._tags)}",
            queue=str(queue),
            callback=callback,
            no_ack=no_ack,
            exclusive=exclusive,
            arguments=arguments if arguments is not None else {},
            prefetch=prefetch,
            on_restored=on_restored,
        )
        consumer = Consumer(self.protocol, subscription, self.timeout, self._cancelled)
        await consumer.start(timeout)
        self.wanted.add(subscription)
        return consumer

    async def close(self, timeout: float | None = None) -> None:
        """Close the channel after the acks that are due; `timeout` seconds at most.

        What is not settled by then goes back to its queue; what is not confirmed fails with ConnectionClosed.
        """
        if self._closed:
            return
        self._closed = True
        limit = self.timeout if timeout is None else timeout
        with suppress(ConnectionLost):  # closed all the same
            await answered(
                self.protocol.close, "channel.close", timeout=limit, late=lambda: self._on_closed(self)
            )
        self._on_closed(self)

    def _send(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: Properties,
        mandatory: bool,  # ruff: ignore[boolean-type-hint-positional-argument] - a flag of the wire
        outcome: Outcome,
    ) -> None:
        frame = self._addresses.frame(exchange, routing_key, mandatory)
        flags, fields = encode_properties(properties)
        self.protocol.publish(frame, flags, fields, body, outcome)

    def _cancelled(self, subscription: Subscription) -> None:
        self.wanted.discard(subscription)
        self._on_cancelled(subscription)

    def _is_free(self) -> bool:
        obstacle = self._obstacle()
        if isinstance(obstacle, ConnectionClosed):
            raise obstacle
        return obstacle is None

    def _obstacle(self) -> AmqpError | None:
        """What a publication would meet now."""
        obstacle = self.protocol.outgoing.obstacle
        if obstacle is not None:
            return obstacle()
        if self._is_paused():
            return Blocked("the send buffer is full")
        if self.unconfirmed >= self._window:
            return Blocked(f"{self.unconfirmed} publications are unconfirmed")
        return None
