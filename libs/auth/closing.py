"""Closing accounts: an operator shuts one, its owner deletes it. Either way its sessions end at once.

Neither is done to the last account that could administer: every method raises `LastAdmin`.
"""

from __future__ import annotations

from uuid import UUID

from libs.auth.callers import Origin, SignedIn
from libs.auth.endings import Endings, Told
from libs.auth.password_proof import PasswordProof
from libs.auth.recent_sign_in import RecentSignIn
from libs.auth.repository import Storage, Stored
from libs.auth.roles import refuse_last_admin
from libs.domain.auth import (
    ACCOUNT_DELETED,
    ACCOUNT_DISABLED,
    AccountDeleted,
    AccountDisabled,
    DeleteMeRequest,
    SessionEnded,
)
from libs.infra.clock import Clock
from libs.messaging import Caller, Empty


class Closing:
    """How accounts are shut and deleted."""

    def __init__(
        self, storage: Storage, endings: Endings, proof: PasswordProof, recent: RecentSignIn, clock: Clock
    ) -> None:
        self._storage = storage
        self._endings = endings
        self._proof = proof
        self._recent = recent
        self._clock = clock

    async def disable(self, account_id: UUID, origin: Origin) -> int:
        """Shut an account and end its sessions; says how many there were."""
        async with self._storage.transaction() as stored:
            told = await self._disable(stored, account_id, origin)
        await told.heard()
        return told.count

    async def disable_by_login(self, login: str, origin: Origin) -> int | None:
        """The same by a login, without waiting for the broker; None where nobody has it."""
        async with self._storage.transaction() as stored:
            found = await stored.accounts.by_login(login)
            if found is None:
                return None
            told = await self._disable(stored, found.account_id, origin)
        return told.count

    async def delete_me(self, request: DeleteMeRequest, caller: Caller) -> Empty:
        """Delete the caller's account; raises `InvalidCredentials`, or `SignInTooOld` where no password came along."""
        who = SignedIn.of(caller)
        if request.password is not None:
            await self._proof.by(who, request.password, caller)
        async with self._storage.transaction() as stored:
            if request.password is None:
                await self._recent.expect(stored, who)
            told = await self._delete(stored, who.account_id, Origin.of(caller))
        if told is None:
            raise SessionEnded
        await told.heard()
        return Empty()

    async def delete(self, account_id: UUID, origin: Origin) -> bool:
        """Delete an account for good and end its sessions; False where it is gone already."""
        async with self._storage.transaction() as stored:
            told = await self._delete(stored, account_id, origin)
        if told is not None:
            await told.heard()
        return told is not None

    async def _disable(self, stored: Stored, account_id: UUID, origin: Origin) -> Told:
        await stored.accounts.lock(account_id)
        await refuse_last_admin(stored, account_id)
        if await stored.accounts.disable(account_id, self._clock.now()):
            await stored.audit.add("account.disabled", account_id=account_id, origin=origin)
            await stored.tell(ACCOUNT_DISABLED, AccountDisabled(account_id=account_id), urgent=True)
        keys = await self._endings.api_keys(stored, account_id, origin)
        sessions = await self._endings.all_of(stored, account_id, "account_disabled", origin)
        return sessions.after(keys)

    async def _delete(self, stored: Stored, account_id: UUID, origin: Origin) -> Told | None:
        if not await stored.accounts.lock(account_id):
            return None
        await refuse_last_admin(stored, account_id)
        # Told before they are removed; nobody makes another one meanwhile.
        keys = await self._endings.api_keys(stored, account_id, origin)
        await stored.accounts.delete(account_id, self._clock.now())
        await stored.audit.add("account.deleted", account_id=account_id, origin=origin)
        await stored.tell(ACCOUNT_DELETED, AccountDeleted(account_id=account_id), urgent=True)
        sessions = await self._endings.all_of(stored, account_id, "account_deleted", origin)
        return sessions.after(keys)
