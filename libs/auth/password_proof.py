"""A password asked for once more of somebody who is signed in: a stolen token does not know it."""

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
        async with self._storage.reading() as stored:
            login = await stored.accounts.by_id(who.account_id)
        if login is None or not login.active:
            raise SessionEnded
        counted_as = _counted_as(login)
        async with self._attempts.of(counted_as, caller.client.ip, account_id=who.account_id):
            matches = await self._passwords.verify(login.hash, password, caller.deadline)
            if not matches or login.hash is None:
                await self._note_failure(who, Origin.of(caller))
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


def _counted_as(login: Login) -> str:
    """Under which name failures count: one that nobody can give as a login, or strangers could use the tries up."""
    return hmac.digest((login.hash or "").encode(), login.account_id.bytes, "sha256").hex()
