"""Accounts: who may sign in, and with which password."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from libs.auth.callers import Origin, SignedIn, account_of
from libs.auth.new_accounts import make_account
from libs.auth.passwords import Passwords
from libs.auth.recent_sign_in import RecentSignIn
from libs.auth.repository import Login, NewAccount, Storage, Stored, StoredAccount
from libs.auth.roles import Roles
from libs.auth.sessions import NewSession, Sessions
from libs.auth.throttling import Attempts
from libs.domain.auth import (
    ACCOUNT_UPDATED,
    Account,
    AccountExists,
    AccountUpdated,
    EmailUnverified,
    InvalidCredentials,
    LoginReply,
    LoginRequest,
    RegisterRequest,
    SessionEnded,
    TokenPair,
    UpdateMeRequest,
)
from libs.infra.clock import Clock
from libs.messaging import Caller, Deadline, Empty, Overloaded, new_message_id

_BY_PASSWORD = ("pwd",)  # RFC 8176, section 2
_LOOKS = 5  # at an account that changes under a sign-in


class Accounts:
    """The accounts and what they prove themselves with."""

    def __init__(
        self,
        storage: Storage,
        passwords: Passwords,
        sessions: Sessions,
        attempts: Attempts,
        roles: Roles,
        recent: RecentSignIn,
        clock: Clock,
        *,
        verified_first: bool = False,
    ) -> None:
        self._storage = storage
        self._passwords = passwords
        self._sessions = sessions
        self._attempts = attempts
        self._roles = roles
        self._recent = recent
        self._clock = clock
        self._verified_first = verified_first

    async def register(
        self,
        request: RegisterRequest,
        caller: Caller,
        *,
        vouched: bool = False,
        roles: Sequence[str] = (),
    ) -> Account:
        """A new account; an operator has ``vouched`` for its address, and gives it ``roles``.

        Raises `AccountExists`, `ValidationFailed` for a weak password, `Overloaded`.
        """
        about = [name for name in (request.email, request.username) if name]
        await self._passwords.check_new(request.password, about=about)
        new = NewAccount(
            id=UUID(new_message_id()),
            email=request.email,
            username=request.username,
            password_hash=await self._passwords.hash(request.password, caller.deadline),
            created_at=self._clock.now(),
            verified=vouched,
        )
        async with self._storage.transaction() as stored:
            origin = Origin.of(caller)
            if not await make_account(stored, new, origin):
                raise AccountExists
            for role in roles:
                await self._roles.give(stored, new.id, role, origin)
        return Account(
            id=new.id,
            email=new.email,
            username=new.username,
            email_verified=vouched,
            created_at=new.created_at,
        )

    async def login(self, request: LoginRequest, caller: Caller) -> LoginReply:
        """Tokens of a new session; raises `InvalidCredentials` for whatever does not fit, `TooManyAttempts`, `Overloaded`."""
        login = await self._storage.login(request.login)
        devices = self._attempts.devices
        device, origin = devices.known(request.device_token, login), Origin.of(caller)
        async with self._attempts.of(request.login, origin, device):
            login, tokens = await self._sign_in(login, request.password, origin, caller.deadline)
        return LoginReply(**tokens.model_dump(), device_token=devices.token(login, device))

    async def _sign_in(
        self, login: Login | None, password: str, origin: Origin, deadline: Deadline | None
    ) -> tuple[Login, TokenPair]:
        """Check the password, and open a session of the account."""
        kept = login.hash if login else None
        matches = await self._passwords.verify(kept, password, deadline)
        if login is None or kept is None or not matches or not login.active:
            await self._note_failure(login, origin)
            raise InvalidCredentials
        if self._verified_first and not login.verified:
            await self._note_failure(login, origin, reason="email_unverified")
            raise EmailUnverified
        new = await self._sessions.prepare(login.account_id)
        tokens = await self._open(new, login, origin)
        if rehashed := await self._rehashed(kept, password, deadline):
            async with self._storage.statements() as stored:
                await stored.accounts.rehash(login.account_id, old=kept, new=rehashed)
        return login, tokens

    async def _open(self, new: NewSession, login: Login, origin: Origin) -> TokenPair:
        """The session; where the account was changed while its password was being checked, it is looked at once more."""
        checked: Login | None = login
        for _ in range(_LOOKS):
            if checked is None or not checked.active or checked.hash != login.hash:
                raise InvalidCredentials
            tokens = await self._sessions.open(new, checked, origin, methods=_BY_PASSWORD)
            if tokens is not None:
                return tokens
            checked = await self._storage.login_again(login)
        raise Overloaded("the account is being changed all the time")

    async def me(self, _request: Empty, caller: Caller) -> Account:
        """The caller's account; raises `SessionEnded` where it is gone or shut."""
        account = await self._storage.active_account(account_of(caller))
        if account is None:
            raise SessionEnded
        return _seen(account)

    async def update_me(self, request: UpdateMeRequest, caller: Caller) -> Account:
        """Change what the request names; raises `AccountExists` for a taken username, `SessionEnded`.

        A username is a login: raises `SignInTooOld` where the request has another one and the sign-in is old.
        """
        if not request.model_fields_set:
            return await self.me(Empty(), caller)
        who = SignedIn.of(caller)
        async with self._storage.transaction() as stored:
            if "username" in request.model_fields_set:
                await self._expect_recent(stored, who, request.username)
            account = await stored.accounts.update(
                who.account_id, self._clock.now(), request.model_dump(exclude_unset=True)
            )
            if account is None:
                raise SessionEnded
            changed = sorted(request.model_fields_set)
            await stored.audit.add(
                "account.updated",
                account_id=who.account_id,
                session_id=who.session_id,
                origin=Origin.of(caller),
                changed=changed,
            )
            updated = AccountUpdated(account_id=who.account_id, changed=tuple(changed))
            await stored.tell(ACCOUNT_UPDATED, updated)
        return _seen(account)

    async def _expect_recent(self, stored: Stored, who: SignedIn, username: str | None) -> None:
        """Let whoever signed in recently have another username, and anybody keep the present one."""
        present = (await stored.accounts.active({who.account_id})).get(who.account_id)
        if present is not None and present.username != username:
            await self._recent.expect(stored, who)

    async def _rehashed(self, kept: str, password: str, deadline: Deadline | None) -> str | None:
        """The password under the present parameters, where it is kept under others and there is time for it."""
        if self._passwords.outdated(kept):
            with suppress(Overloaded):
                return await self._passwords.hash(password, deadline)
        return None

    async def _note_failure(self, login: Login | None, origin: Origin, **details: Any) -> None:
        account_id = login.account_id if login else None
        async with self._storage.transaction() as stored:
            await stored.audit.add("login.failed", account_id=account_id, origin=origin, **details)


def _seen(account: StoredAccount) -> Account:
    """An account as its owner sees it."""
    return Account(
        id=account.id,
        email=account.email,
        username=account.username,
        email_verified=account.email_verified_at is not None,
        created_at=account.created_at,
        metadata=account.details,
    )
