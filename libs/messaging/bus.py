"""The bus: the port through which services speak, and what it promises."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from libs.messaging.caller import Caller
from libs.messaging.contract import AnyOperation, Event, Operation, PayloadT, ReplyT, RequestT
from libs.messaging.handlers import Handlers, Listeners
from libs.messaging.message import EventMessage


class Subscription(Protocol):
    """A table that is being served or heard."""

    async def stop(self) -> None:
        """Take nothing new and finish what runs, within a bound; giving nothing back to the queue."""


class ControlSubscription(Subscription, Protocol):
    """A table that one process hears, whatever others hear."""

    @property
    def hears(self) -> bool:
        """Whether its queue stands and is listened to now."""


class Bus(Protocol):
    """Calls are answered once or fail with a typed error; events are delivered at least once.

    No method waits longer than its deadline. Implementations: `libs.messaging.rabbitmq` and `libs.messaging.memory`,
    held to one conformance suite.
    """

    @property
    def connected(self) -> bool:
        """Whether messages can leave now."""

    async def call(
        self, operation: Operation[RequestT, ReplyT], request: RequestT, *, timeout: float | None = None
    ) -> ReplyT:
        """Ask the operation's service, on behalf of `current_caller`; ``timeout`` in seconds.

        Raises the service's `AppError`, or a `CallError`: Unavailable, Overloaded, TimedOut, Unreadable, Interrupted.
        """

    async def forward(self, operation: AnyOperation, body: bytes, caller: Caller) -> bytes:
        """`call` with the request's and the reply's JSON untouched, under the caller's request id: the gateway's way."""

    async def publish(
        self, event: Event[PayloadT], payload: PayloadT, *, channel: str = "", mandatory: bool = False
    ) -> None:
        """Tell everybody who listens; returns once the broker has stored it.

        ``channel`` is required for a client-facing event. A ``mandatory`` event that nobody hears raises Unavailable.
        """

    async def send(self, message: EventMessage) -> None:
        """`publish` of a message made earlier, under its own id; sending it again is deduplicated by that id."""

    async def serve(self, handlers: Handlers) -> Subscription:
        """Answer the operations of the table from now on."""

    async def subscribe(self, listeners: Listeners) -> Subscription:
        """Hear the table's events: each event goes to one process of the service."""

    async def control(
        self, listeners: Listeners, *, bound: Callable[[], Awaitable[None]]
    ) -> ControlSubscription:
        """Hear the table's events in *this* process, whatever others hear.

        What happens while the connection is away is not heard, so ``bound`` is awaited whenever it is heard anew.
        """

    async def drain(self) -> None:
        """Stop every subscription and wait for the confirms that are outstanding; bounded."""

    async def close(self) -> None:
        """Fail the calls that still wait, flush what is confirmed, and close the connections."""
