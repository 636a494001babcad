"""Rates: how often one address may ask for an operation."""

from __future__ import annotations

import math
from dataclasses import dataclass

from libs.auth.throttling.addresses import site_of
from libs.auth.throttling.settings import ThrottleSettings
from libs.auth.throttling.store import Store
from libs.domain.auth import TooManyAttempts
from libs.messaging import Caller
from libs.messaging.contract import ReplyT, RequestT
from libs.messaging.handlers import Handler


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``count`` in ``seconds``, in a burst or spread; a count of 0 is no limit."""

    name: str
    count: int
    seconds: float


class Rates:
    """Puts rates before handlers."""

    def __init__(self, store: Store, settings: ThrottleSettings) -> None:
        self.store = store
        self.memory = settings.memory
        self.register = Rate("register", settings.register_per_hour, 3600.0)
        self.refresh = Rate("refresh", settings.refresh_per_minute, 60.0)
        self.token = Rate("token", settings.token_per_minute, 60.0)

    def limited(self, rate: Rate, handler: Handler[RequestT, ReplyT]) -> Handler[RequestT, ReplyT]:
        """The handler for callers within the rate; the others get `TooManyAttempts`.

        A service that calls on its own behalf names no client, and is not limited.
        """

        async def limited(request: RequestT, caller: Caller) -> ReplyT:
            if caller.client.ip:
                await self.spend(rate, site_of(caller.client.ip))
            return await handler(request, caller)

        return limited if rate.count else handler

    async def spend(self, rate: Rate, whose: str) -> None:
        """Take a turn of ``whose``; raises `TooManyAttempts`."""
        interval = rate.seconds / rate.count
        wait = await self.store.spend(f"{rate.name}:{whose}", interval=interval, burst=rate.count)
        if wait > 0:
            raise TooManyAttempts(retry_after=math.ceil(wait))
