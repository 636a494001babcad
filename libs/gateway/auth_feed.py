"""Following the auth service: which sessions end, and which keys sign.

The process's control queue is bound first and the auth service asked afterwards, at the start and after every reconnect,
so that nothing falls between; until that is done the gateway is not ready.
"""

from __future__ import annotations

import asyncio
import contextlib

import structlog
from typing_extensions import override

from libs.domain.auth import KEYS_ROTATED, SESSION_REVOKED, KeysRotated, SessionsRevoked
from libs.gateway.keys import PublicKeys
from libs.gateway.revocation import Revocations, catch_up
from libs.messaging import AppError, Bus, ControlSubscription, Listeners, Subscription

_log = structlog.get_logger(__name__)
_TICK = 1.0  # seconds


class AuthFeed(Subscription):
    """Keeps keys and revocations as the auth service has them, as long as it is not stopped."""

    def __init__(self, bus: Bus, keys: PublicKeys, revocations: Revocations, *, tick: float = _TICK) -> None:
        self._bus = bus
        self._keys = keys
        self._revocations = revocations
        self._tick = tick
        self._behind = True
        self._refusal = ""
        self._wake = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._control: ControlSubscription | None = None

    async def start(self) -> Subscription:
        """Bind the control queue, ask once whether anybody answers or not, and follow from then on."""
        listeners = Listeners("gateway")
        listeners.on(SESSION_REVOKED, self._on_session_revoked)
        listeners.on(KEYS_ROTATED, self._on_keys_rotated)
        self._control = await self._bus.control(listeners, bound=self._on_bound)
        # Before the port opens: where several processes share it, nobody is sent to one that cannot judge yet.
        await self._look()
        self._following = asyncio.create_task(self._follow())
        return self

    @override
    async def stop(self) -> None:
        if self._following is not None:
            self._following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._following
        if self._control is not None:
            await self._control.stop()

    async def check(self) -> None:
        """The readiness probe: raises until keys and revocations are known, and when they have grown old."""
        if self._behind or not self._revocations.is_current:
            raise ConnectionError("keys and revocations are not known")

    async def _on_bound(self) -> None:
        self._behind = True
        self._wake.set()

    async def _on_session_revoked(self, event: SessionsRevoked) -> None:
        for session_id in event.session_ids:
            self._revocations.add(str(session_id), event.until)

    async def _on_keys_rotated(self, _event: KeysRotated) -> None:
        try:
            await self._keys.load()
        except AppError:  # the set may lack a key, or hold one that was revoked: ask until somebody answers
            self._behind = True
            self._wake.set()
            raise

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._tick):
                    await self._wake.wait()
            self._wake.clear()
            await self._look()

    async def _look(self) -> None:
        if self._behind:
            await self._catch_up()
        if not self._behind and self._control is not None and self._control.hears:
            self._revocations.confirm()
        self._revocations.forget_expired()

    async def _catch_up(self) -> None:
        self._behind = False  # a queue that is bound anew in the meantime sets it again
        try:
            await self._keys.load()
            await catch_up(self._bus, self._revocations)
        except AppError as error:
            self._behind = True
            if error.code != self._refusal:
                _log.warning("auth_svc_does_not_answer", reason=error.code)
            self._refusal = error.code
        else:
            self._refusal = ""
            _log.info("auth_svc_followed", revoked=len(self._revocations))
