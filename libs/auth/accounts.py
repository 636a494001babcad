"""Accounts: who may sign in, and with which password."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from libs.auth.callers import Origin, SignedIn
from libs.auth.passwords import Passwords
from libs.auth.repository import Login, NewAccount, Storage
from libs.auth.sessions import Sessions
from libs.domain.auth import (
    ACCOUNT_DISABLED,
    ACCOUNT_REGISTERED,
    Account,
    AccountDisabled,
    AccountExists,
    AccountRegistered,
    InvalidCredentials,
    LoginRequest,
    RegisterRequest,
    SessionEnded,
    TokenPair,
)
from libs.infra.clock import Clock
from libs.messaging import Caller, Deadline, Empty, Overloaded, new_message_id

_BY_PASSWORD = ("pwd",)  # RFC 8176, section 2


class Accounts:
    """The accounts and what they prove themselves with."""

    def __init__(self, storage: Storage, passwords: Passwords, sessions: Sessions, clock: Clock) -> None:
        self._storage = storage
        self._passwords = passwords
        self._sessions = sessions
        self._clock = clock

    async def register(self, request: RegisterRequest, caller: Caller) -> Account:
        """A new account; raises `AccountExists`, `ValidationFailed` for a weak password, `Overloaded`."""
        await self._passwords.check_new(request.password)
        new = NewAccount(
            id=UUID(new_message_id()),
            email=request.email,
            username=request.username,
            password_hash=await self._passwords.hash(request.password, caller.deadline),
            created_at=self._clock.now(),
        )
        async with self._storage.transaction() as stored:
            if not await stored.accounts.add(new):
                raise AccountExists
            await stored.audit.add("account.registered", account_id=new.id, origin=Origin.of(caller))
            registered = AccountRegistered(
                account_id=new.id, email=new.email, username=new.username, created_at=new.created_at
            )
            await stored.tell(ACCOUNT_REGISTERED, registered)
        return Account(
            id=new.id,
            email=new.email,
            username=new.username,
            email_verified=False,
            created_at=new.created_at,
        )

    async def login(self, request: LoginRequest, caller: Caller) -> TokenPair:
        """Tokens of a new session; raises `InvalidCredentials` for whatever does not fit, and `Overloaded`."""
        async with self._storage.reading() as stored:
            login = await stored.accounts.by_login(request.login)
        kept = login.hash if login else None
        origin = Origin.of(caller)
        matches = await self._passwords.verify(kept, request.password, caller.deadline)
        if login is None or kept is None or not matches or not login.active:
            await self._note_failure(login, origin)
            raise InvalidCredentials
        rehashed = await self._rehashed(kept, request.password, caller.deadline)
        async with self._storage.transaction() as stored:
            # The password may have been changed, or the account shut, while it was being checked.
            if not await stored.accounts.still_opens(login.account_id, kept):
                raise InvalidCredentials
            if rehashed:
                await stored.accounts.rehash(login.account_id, old=kept, new=rehashed)
            tokens = await self._sessions.start(stored, login.account_id, origin, methods=_BY_PASSWORD)
            await stored.audit.add(
                "session.started", account_id=login.account_id, session_id=tokens.session_id, origin=origin
            )
        return tokens

    async def me(self, _request: Empty, caller: Caller) -> Account:
        """The account that is signed in; raises `SessionEnded` where it is gone or shut."""
        account_id = SignedIn.of(caller).account_id
        async with self._storage.reading() as stored:
            account = await stored.accounts.active(account_id)
        if account is None:
            raise SessionEnded
        return Account(
            id=account.id,
            email=account.email,
            username=account.username,
            email_verified=account.email_verified_at is not None,
            created_at=account.created_at,
        )

    async def disable(self, login: str, origin: Origin) -> int | None:
        """Shut the account that ``login`` names and end its sessions; says how many, None for an unknown login."""
        now = self._clock.now()
        async with self._storage.transaction() as stored:
            found = await stored.accounts.by_login(login)
            if found is None:
                return None
            if await stored.accounts.disable(found.account_id, now):
                await stored.audit.add("account.disabled", account_id=found.account_id, origin=origin)
                await stored.tell(ACCOUNT_DISABLED, AccountDisabled(account_id=found.account_id))
            ended = await stored.sessions.end_all(found.account_id, now, "account_disabled")
            await self._sessions.tell_ended(stored, ended, "account_disabled", origin)
        return len(ended)

    async def _rehashed(self, kept: str, password: str, deadline: Deadline | None) -> str | None:
        """The password under the present parameters, where it is kept under others and there is time for it."""
        if self._passwords.outdated(kept):
            with suppress(Overloaded):
                return await self._passwords.hash(password, deadline)
        return None

    async def _note_failure(self, login: Login | None, origin: Origin) -> None:
        async with self._storage.transaction() as stored:
            await stored.audit.add(
                "login.failed", account_id=login.account_id if login else None, origin=origin
            )
