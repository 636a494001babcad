"""Attempts at passwords: failures slow down, before any hash is computed, whoever makes them.

Failures are counted per login and address, and per login from everywhere. The name counts as it was given, whether or not
there is such an account: nobody can tell one from the other, nor that a username and an address are of one account.
A device that is known to the account is counted by itself instead: strangers cannot keep the owner out.

A password that is asked for once more is counted per session, and per account over all sessions: one session alone never
makes the others wait.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import UUID

import structlog

from libs.auth.callers import SignedIn
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
        self._narrow = _ladder(settings, settings.attempts, settings.login_limit)
        self._wide = _ladder(settings, settings.login_attempts, settings.login_limit)
        self._session = _ladder(settings, settings.attempts, settings.session_limit)

    def of(self, login: str, address: str, device: bytes | None = None) -> AbstractAsyncContextManager[None]:
        """Judge the password of a sign-in inside of this block: `InvalidCredentials` is a failure, no error is a success.

        Whatever else is raised counts as neither. Raises `TooManyAttempts`, before the block runs.
        """
        if device is not None:
            subjects = [Subject(f"device:{device.hex()}", self._narrow)]
        else:
            name = self._name(login_key(login))
            subjects = [
                Subject(f"login:{{{name}}}:{site_of(address)}", self._narrow),
                Subject(f"login:{{{name}}}", self._wide),
            ]
        return self._judged(subjects, login, address, None)

    def again(self, who: SignedIn, password_id: str, address: str) -> AbstractAsyncContextManager[None]:
        """The same for a password that somebody who is signed in is asked for; ``password_id`` says which one it is."""
        name = self._name(password_id)
        subjects = [
            Subject(f"proof:{{{name}}}:{who.session_id}", self._session),
            Subject(f"proof:{{{name}}}", self._wide),
        ]
        return self._judged(subjects, "", address, who.account_id)

    @asynccontextmanager
    async def _judged(
        self, subjects: Sequence[Subject], login: str, address: str, account_id: UUID | None
    ) -> AsyncGenerator[None]:
        wait = await self._store.admit(subjects)
        if wait > 0:
            counted_for = subjects[0].key.partition(":")[0]
            _log.info("sign_in_throttled", ip=address, counted_for=counted_for, retry_after=wait)
            await self._refusals.note(subjects[-1].key, login, address, account_id)
            raise TooManyAttempts(retry_after=math.ceil(wait))
        async with judged(self._store, subjects, failure=InvalidCredentials):
            yield

    def _name(self, counted_as: str) -> str:
        """How it is called outside of the database."""
        return hashlib.blake2b(counted_as.encode(), key=self._names, digest_size=16).hexdigest()


def _ladder(settings: ThrottleSettings, free: int, limit: int) -> Ladder:
    return Ladder(
        free=free,
        limit=limit,
        first=settings.first_delay,
        longest=settings.longest_delay,
        memory=settings.memory,
    )
