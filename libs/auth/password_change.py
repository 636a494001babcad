"""A new password for the account that is signed in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from libs.auth.callers import Origin, SignedIn
from libs.auth.endings import Endings
from libs.auth.password_proof import PasswordProof
from libs.auth.passwords import Passwords
from libs.auth.repository import Storage, Stored
from libs.domain.auth import (
    PASSWORD_CHANGED,
    ChangePasswordRequest,
    InvalidCredentials,
    PasswordChanged,
)
from libs.infra.clock import Clock
from libs.messaging import Caller, Empty


class PasswordChange:
    """Asks for the present password, keeps the new one, and ends the other sessions."""

    def __init__(
        self, storage: Storage, passwords: Passwords, proof: PasswordProof, endings: Endings, clock: Clock
    ) -> None:
        self._storage = storage
        self._passwords = passwords
        self._proof = proof
        self._endings = endings
        self._clock = clock

    async def change(
        self,
        request: ChangePasswordRequest,
        caller: Caller,
        *,
        also: Callable[[Stored], Awaitable[None]] | None = None,
    ) -> Empty:
        """Change it, and do what ``also`` belongs into the transaction.

        Raises `InvalidCredentials` for a wrong password, `ValidationFailed` for a weak new one, `Overloaded`.
        """
        who, origin = SignedIn.of(caller), Origin.of(caller)
        proven = await self._proof.by(who, request.current_password, caller)
        await self._passwords.check_new(request.new_password, field="new_password", about=proven.names)
        new = await self._passwords.hash(request.new_password, caller.deadline)
        now = self._clock.now()
        async with self._storage.transaction() as stored:
            # Locked first: whoever signs in with the old password has done so by now, or will find it changed.
            await stored.accounts.lock(who.account_id)
            if not await stored.accounts.change_password(who.account_id, now, old=proven.hash, new=new):
                raise InvalidCredentials
            await stored.audit.add(
                "password.changed", account_id=who.account_id, session_id=who.session_id, origin=origin
            )
            await stored.tell(PASSWORD_CHANGED, PasswordChanged(account_id=who.account_id))
            told = await self._endings.all_of(
                stored, who.account_id, "password_changed", origin, but=who.session_id
            )
            if request.end_api_keys:
                told = told.after(await self._endings.api_keys(stored, who.account_id, origin))
            if also is not None:
                await also(stored)
        await told.heard()
        return Empty()
