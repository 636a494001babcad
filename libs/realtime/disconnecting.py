"""Closing a user's connections wherever they are: every gateway process hears of it on its control queue."""

from __future__ import annotations

from pydantic import Field
from typing_extensions import override

from libs.messaging import Bus, Event, Listeners, Reply, Subscription
from libs.realtime.codes import Disconnect
from libs.realtime.registry import Registry


class DisconnectAsked(Reply):
    """Whose connections are to be closed: all of ``user`` but ``whitelist``, or ``client`` alone."""

    user: str = ""
    client: str = ""
    whitelist: list[str] = Field(default_factory=list)
    code: int
    reason: str


DISCONNECT_ASKED = Event("gateway.disconnect.asked", DisconnectAsked)


class Disconnecting(Subscription):
    """Closes what any gateway process was asked to close, this one too."""

    def __init__(self, bus: Bus, registry: Registry) -> None:
        self._bus = bus
        self._registry = registry
        self._heard: Subscription | None = None

    async def start(self) -> None:
        """Hear of it from now on."""
        listeners = Listeners("realtime")
        listeners.on(DISCONNECT_ASKED, self.close)
        self._heard = await self._bus.control(listeners, bound=_nothing_to_catch_up_with)

    @override
    async def stop(self) -> None:
        heard, self._heard = self._heard, None
        if heard is not None:
            await heard.stop()

    async def ask(self, asked: DisconnectAsked) -> None:
        """Tell all processes; returns once the broker has it. Raises `AppError`."""
        await self._bus.publish(DISCONNECT_ASKED, asked)

    async def close(self, asked: DisconnectAsked) -> None:
        """Close the connections of this process."""
        found = self._registry.of_user(asked.user) if asked.user else list(self._registry)
        for session in found:
            if asked.client in {"", session.id} and session.id not in asked.whitelist:
                session.end(Disconnect(asked.code, asked.reason))


async def _nothing_to_catch_up_with() -> None:
    """Who was to be closed while the broker was away is not kept: its back end asks again."""
