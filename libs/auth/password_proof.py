"""A password asked for once more of somebody who is signed in: a stolen token does not know it.

Failures count for the session, and for the account over all its sessions, apart from sign-ins. By the defaults, who holds
one stolen session may try ten passwords: five at once, the others after 1, 2, 4, 8 and 16 s; then none until there was no
failure for a day. That makes 900 in the 90 days that a session lives at the longest, if nobody ends it. Over several stolen
sessions all have to wait from the twentieth failure in a row, and from the twenty-fifth none may try for a day.

The owner is never out: one session alone makes no other wait, a new sign-in has a count of its own, and a recent one ends
the other sessions without a password. Another password, as by a reset, starts every count anew.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from libs.auth.callers import Origin, SignedIn
from libs.auth.passwords import Passwords
from libs.auth.repository import Login, Storage
from libs.auth.throttling import Attempts
from libs.domain.auth import InvalidCredentials, SessionEnded
from libs.messaging import Caller


@dataclass(frozen=True, slots=True)
class Proven:
    """Whose password it was: how the account is called, and the hash that it was held against."""

    names: tuple[str, ...]
    hash: str = field(repr=False)


class PasswordProof:
    """Holds a claimed password against the account's own."""

    def __init__(self, storage: Storage, passwords: Passwords, attempts: Attempts) -> None:
        self._storage = storage
        self._passwords = passwords
        self._attempts = attempts

    async def by(self, who: SignedIn, password: str, caller: Caller) -> Proven:
        """Raises `InvalidCredentials` for a wrong one, `SessionEnded` where the account is shut.

        Raises `TooManyAttempts` after too many wrong ones, and `Overloaded`.
        """
        async with self._storage.statements() as stored:
            login = await stored.accounts.by_id(who.account_id)
        if login is None or not login.active:
            raise SessionEnded
        origin = Origin.of(caller)
        async with self._attempts.again(who, _password_id(login), origin):
            matches = await self._passwords.verify(login.hash, password, caller.deadline)
            if not matches or login.hash is None:
                await self._note_failure(who, origin)
                raise InvalidCredentials
        return Proven(login.names, login.hash)

    async def _note_failure(self, who: SignedIn, origin: Origin) -> None:
        async with self._storage.transaction() as stored:
            await stored.audit.add(
                "reauthentication.failed",
                account_id=who.account_id,
                session_id=who.session_id,
                origin=origin,
            )


def _password_id(login: Login) -> str:
    """Names the password that failures are counted for, and tells nothing of its hash."""
    return hmac.digest((login.hash or "").encode(), login.account_id.bytes, "sha256").hex()
