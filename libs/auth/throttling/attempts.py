"""Attempts to sign in: failures slow down, before any hash is computed, whoever makes them.

Failures are counted per login and address, and per login from everywhere. The name counts as it was given, whether or not
there is such an account: nobody can tell one from the other, nor that a username and an address are of one account.
A device that is known to the account is counted by itself instead: strangers cannot keep the owner out.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import structlog

from libs.auth.names import login_key
from libs.auth.sealing import derived_key
from libs.auth.throttling.addresses import site_of
from libs.auth.throttling.devices import Devices
from libs.auth.throttling.ladder import Ladder
from libs.auth.throttling.refusals import Refusals
from libs.auth.throttling.settings import ThrottleSettings
from libs.auth.throttling.store import Store, Subject, judged
from libs.domain.auth import InvalidCredentials, TooManyAttempts
from libs.infra.clock import Clock

_log = structlog.get_logger(__name__)


class Attempts:
    """Admits attempts, and counts what becomes of them."""

    def __init__(
        self,
        store: Store,
        settings: ThrottleSettings,
        refusals: Refusals,
        *,
        secrets: Sequence[bytes],
        clock: Clock,
    ) -> None:
        self.devices = Devices(secrets, seconds=settings.device_seconds, clock=clock)
        self._store = store
        self._refusals = refusals
        self._names = derived_key(secrets[0], b"gatehouse throttled names")
        self._narrow = _ladder(settings, settings.attempts)
        self._wide = _ladder(settings, settings.login_attempts)

    @asynccontextmanager
    async def of(
        self, login: str, address: str, device: bytes | None = None, *, account_id: UUID | None = None
    ) -> AsyncGenerator[None]:
        """Judge the password inside of this block: `InvalidCredentials` is a failure, no error is a success.

        ``account_id`` is whose login it is, where that is certain already.

        Whatever else is raised counts as neither. Raises `TooManyAttempts`, before the block runs.
        """
        subjects = self._subjects(login, address, device)
        wait = await self._store.admit(subjects)
        if wait > 0:
            _log.info("sign_in_throttled", ip=address, known_device=device is not None, retry_after=wait)
            await self._refusals.note(subjects[-1].key, login, address, account_id)
            raise TooManyAttempts(retry_after=math.ceil(wait))
        async with judged(self._store, subjects, failure=InvalidCredentials):
            yield

    def _subjects(self, login: str, address: str, device: bytes | None) -> list[Subject]:
        if device is not None:
            return [Subject(f"device:{device.hex()}", self._narrow)]
        name = hashlib.blake2b(login_key(login).encode(), key=self._names, digest_size=16).hexdigest()
        return [
            Subject(f"login:{{{name}}}:{site_of(address)}", self._narrow),
            Subject(f"login:{{{name}}}", self._wide),
        ]


def _ladder(settings: ThrottleSettings, free: int) -> Ladder:
    return Ladder(
        free=free,
        limit=settings.login_limit,
        first=settings.first_delay,
        longest=settings.longest_delay,
        memory=settings.memory,
    )
