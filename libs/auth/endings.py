"""How sessions end: written down, told, and known to every gateway before the answer goes out."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from libs.auth.callers import Origin
from libs.auth.repository import Ended, Happened, Stored
from libs.auth.settings import SessionSettings
from libs.domain.auth import REVOKED_AT_ONCE, SESSION_REVOKED, RevocationReason, SessionsRevoked
from libs.infra.clock import Clock

_MARGIN = 60  # s that a revocation outlives the last access token: the clocks' differences
_CONFIRM_WAIT = 1.0  # s that an answer waits for the broker to have the revocation


@dataclass(frozen=True, slots=True)
class Told:
    """How many sessions ended, and what is done once the broker has the news."""

    count: int
    confirms: Sequence[asyncio.Future[None]]

    def after(self, other: Told) -> Told:
        """The same news, known when that of ``other`` is known as well."""
        return Told(self.count, (*other.confirms, *self.confirms))

    async def heard(self) -> None:
        """Wait, after the commit, until every gateway can know; a second at most."""
        if self.confirms:
            await asyncio.wait(self.confirms, timeout=_CONFIRM_WAIT)


class Endings:
    """Ends sessions in the transaction of whatever ends them."""

    def __init__(self, settings: SessionSettings, clock: Clock) -> None:
        self.revoked_for = settings.access_seconds + _MARGIN
        """Seconds that a session is told as revoked."""
        self._clock = clock

    async def one(self, stored: Stored, session_id: UUID, reason: RevocationReason, origin: Origin) -> Told:
        """End a session; nothing where it has ended already."""
        ended = await stored.sessions.end(session_id, self._clock.now(), reason)
        return await self._tell(stored, ended, reason, origin)

    async def all_of(
        self,
        stored: Stored,
        account_id: UUID,
        reason: RevocationReason,
        origin: Origin,
        *,
        but: UUID | None = None,
    ) -> Told:
        """End every session of an account, ``but`` this one."""
        ended = await stored.sessions.end_all(account_id, self._clock.now(), reason, but=but)
        return await self._tell(stored, ended, reason, origin)

    async def api_keys(
        self, stored: Stored, account_id: UUID, origin: Origin, *, only: Collection[UUID] | None = None
    ) -> Told:
        """End the API keys of an account that are good, or ``only`` these."""
        ended = await stored.machines.revoke_keys(account_id, self._clock.now(), only=only)
        await stored.audit.add_all(
            [Happened("api_key.revoked", account_id, None, origin, {"api_key": str(one)}) for one in ended]
        )
        return await self._announce(stored, account_id, ended, "api_key_revoked")

    async def secrets(self, stored: Stored, service_account_id: UUID, reason: RevocationReason) -> None:
        """End the secrets of a service account."""
        ended = await stored.machines.revoke_secrets(service_account_id, self._clock.now())
        await self._announce(stored, service_account_id, ended, reason)

    async def _tell(
        self, stored: Stored, ended: Sequence[Ended], reason: RevocationReason, origin: Origin
    ) -> Told:
        """Tell of sessions of one account, and write them down."""
        if not ended:
            return Told(0, ())
        told = await self._announce(stored, ended[0].account_id, [one.id for one in ended], reason)
        await stored.audit.add_all(
            [Happened("session.ended", one.account_id, one.id, origin, {"reason": reason}) for one in ended]
        )
        return told

    async def _announce(
        self, stored: Stored, account_id: UUID, ids: Sequence[UUID], reason: RevocationReason
    ) -> Told:
        until = int(self._clock.now().timestamp()) + self.revoked_for
        confirms = []
        for start in range(0, len(ids), REVOKED_AT_ONCE):
            some = tuple(ids[start : start + REVOKED_AT_ONCE])
            revoked = SessionsRevoked(account_id=account_id, session_ids=some, reason=reason, until=until)
            confirms.append(await stored.tell(SESSION_REVOKED, revoked, urgent=True))
        return Told(len(ids), confirms)
