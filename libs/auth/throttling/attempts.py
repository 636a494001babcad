"""Attempts at passwords: failures slow down, before any hash is computed, whoever makes them.

Failures are counted per login and address, and per login from everywhere. The name counts as it was given, whether or not
there is such an account: nobody can tell one from the other, nor that a username and an address are of one account. And each
address has an allowance of failures for whatever names, since a list of stolen passwords has one try for each of many.

A device that is known to the account is counted by itself instead, and with the account's other known devices: strangers
cannot keep the owner out. One device alone, which may be stolen, never makes the others wait. Two can, and three can keep
them from trying (by the defaults 10 failures for each, waits from 20, and nothing from 25 on, until one succeeds that may
try, or there was none for a day); whoever shows no device is not concerned.

A password that is asked for once more is counted per session, and per account over all sessions, in the same steps.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog

from libs.auth.callers import Origin, SignedIn
from libs.auth.names import login_key
from libs.auth.sealing import derived_key
from libs.auth.throttling.addresses import site_of
from libs.auth.throttling.devices import Device, Devices
from libs.auth.throttling.ladder import Ladder
from libs.auth.throttling.refusals import Refusals
from libs.auth.throttling.settings import ThrottleSettings
from libs.auth.throttling.store import Allowance, Store, Subject, judged
from libs.domain.auth import InvalidCredentials, TooManyAttempts
from libs.infra.clock import Clock

_log = structlog.get_logger(__name__)
_HOUR = 3600.0


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
        self._single = _ladder(settings, settings.attempts, settings.single_limit)
        self._failures_per_hour = settings.failures_per_hour

    def of(
        self, login: str, origin: Origin, device: Device | None = None
    ) -> AbstractAsyncContextManager[None]:
        """Judge the password of a sign-in inside of this block: `InvalidCredentials` is a failure, no error is a success.

        Whatever else is raised counts as neither. Raises `TooManyAttempts`, before the block runs.
        """
        if device is not None:
            name = self._name(str(device.account_id))
            subjects = [
                Subject(f"device:{name}:{device.id.hex()}", self._single),
                Subject(f"device:{name}", self._wide),
            ]
            return self._judged(subjects, login, origin)
        name, site = self._name(login_key(login)), site_of(origin.ip)
        subjects = [Subject(f"login:{name}:{site}", self._narrow), Subject(f"login:{name}", self._wide)]
        return self._judged(subjects, login, origin, allowance=self._allowance(site))

    def again(self, who: SignedIn, password_id: str, origin: Origin) -> AbstractAsyncContextManager[None]:
        """The same for a password that somebody who is signed in is asked for; ``password_id`` says which one it is."""
        name = self._name(password_id)
        subjects = [
            Subject(f"proof:{name}:{who.session_id}", self._single),
            Subject(f"proof:{name}", self._wide),
        ]
        return self._judged(subjects, "", origin, who)

    @asynccontextmanager
    async def _judged(
        self,
        subjects: Sequence[Subject],
        login: str,
        origin: Origin,
        who: SignedIn | None = None,
        *,
        allowance: Allowance | None = None,
    ) -> AsyncGenerator[None]:
        wait = await self._store.admit(subjects, allowance)
        if wait > 0:
            counted_for = subjects[0].key.partition(":")[0]
            _log.info("sign_in_throttled", ip=origin.ip, counted_for=counted_for, retry_after=wait)
            await self._refusals.note(subjects[-1].key, login, origin, who)
            raise TooManyAttempts(retry_after=math.ceil(wait))
        async with judged(self._store, subjects, allowance, failure=InvalidCredentials):
            yield

    def _allowance(self, site: str) -> Allowance | None:
        """Of an address; a service that calls on its own behalf has none and needs none."""
        if not site or not self._failures_per_hour:
            return None
        return Allowance(f"failures:{site}", _HOUR / self._failures_per_hour, self._failures_per_hour)

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
