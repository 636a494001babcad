"""A running consumer, as a program holds it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from libs.amqp.calls import nothing
from libs.amqp.channel_protocol import ChannelProtocol
from libs.amqp.delivery import Delivery
from libs.amqp.errors import CallTimeout, ConnectionLost
from libs.amqp.request import answered
from libs.amqp.subscription import Subscription


class Consumer:
    """A running consumer. It comes back by itself after every loss, until it is cancelled."""

    def __init__(
        self,
        protocol: ChannelProtocol,
        subscription: Subscription,
        timeout: float,
        on_cancelled: Callable[[Subscription], None],
    ) -> None:
        self._protocol = protocol
        self._subscription = subscription
        self._timeout = timeout
        self._on_cancelled = on_cancelled

    @property
    def tag(self) -> str:
        """Its tag, unique on its channel."""
        return self._subscription.tag

    @property
    def queue(self) -> str:
        """The queue it consumes from, by its present name."""
        return self._subscription.queue

    @property
    def is_active(self) -> bool:
        """False once it is cancelled, and while the broker has taken its queue away."""
        return self._subscription.active

    async def start(self, timeout: float | None = None) -> None:
        """Ask the broker for deliveries. A start that is given up is taken back, its deliveries too."""
        subscription = self._subscription
        try:
            await answered(
                lambda resolve: self._protocol.subscribe(subscription, resolve),
                "basic.consume",
                timeout=self._timeout if timeout is None else timeout,
                late=lambda: self._protocol.unsubscribe(subscription, nothing),
            )
        except (CallTimeout, asyncio.CancelledError):
            subscription.callback = _give_back
            raise

    async def cancel(self, timeout: float | None = None) -> None:
        """Ask for no more deliveries. Those that came before it returns may still be worked on and settled."""
        subscription = self._subscription
        if subscription.cancelled:
            return
        subscription.cancelled = True
        self._on_cancelled(subscription)
        with suppress(ConnectionLost):  # it went with the connection, and will not be restored
            await answered(
                lambda resolve: self._protocol.unsubscribe(subscription, resolve),
                "basic.cancel",
                timeout=self._timeout if timeout is None else timeout,
            )


def _give_back(delivery: Delivery) -> None:
    if not delivery.settled:
        delivery.nack(requeue=True)
