"""Verification: an address is shown to be its owner's, by asking for it, or by registering where that comes first."""

from __future__ import annotations

from libs.auth.callers import Origin, SignedIn
from libs.auth.endings import Told
from libs.auth.mail.letters import Template
from libs.auth.mail.ownership import Ownership
from libs.auth.mail.post import Post
from libs.auth.mail.requests import Asked, Opened, Purpose, Requests
from libs.auth.repository import PASSWORD, Owner, Storage, Stored
from libs.domain.auth import (
    ACCOUNT_REGISTERED,
    AccountRegistered,
    CodeSent,
    ConfirmCode,
    EmailVerified,
    SessionEnded,
)
from libs.infra.clock import Clock
from libs.messaging import Caller, Empty


class Verification:
    """Sends codes to the address of an account, and takes them."""

    def __init__(
        self, storage: Storage, requests: Requests, post: Post, ownership: Ownership, clock: Clock
    ) -> None:
        self._storage = storage
        self._requests = requests
        self._post = post
        self._ownership = ownership
        self._clock = clock

    async def ask(self, _request: Empty, caller: Caller) -> CodeSent:
        """Send a code to the caller's address; raises `EmailVerified` where nothing is left to verify."""
        who = SignedIn.of(caller)
        async with self._storage.statements() as stored:
            owner = await stored.owners.by_id(who.account_id)
        if owner is None:
            raise SessionEnded
        if owner.verified:
            raise EmailVerified
        digits = await self._requests.admit(Purpose.VERIFY, owner.email, caller)
        asked = Asked(
            purpose=Purpose.VERIFY,
            template=Template.VERIFY,
            address=owner.email,
            to=owner.email,
            account_id=owner.account_id,
            locale=self._post.locale(caller, owner.details),
        )
        async with self._storage.transaction() as stored:
            sent = await self._requests.open(stored, asked, digits, caller)
        self._post.posted()
        return sent

    async def confirm(self, request: ConfirmCode, caller: Caller) -> Empty:
        """Verify the address; raises `CodeInvalid`."""
        opened = await self._requests.attempt(
            request.request_id, request.code, caller, Purpose.VERIFY, Purpose.REGISTER
        )
        async with self._storage.transaction() as stored:
            owner = await self._requests.close(stored, opened)
            told = await self._verify(stored, owner, opened, Origin.of(caller))
        if told is not None:
            await told.heard()
        return Empty()

    async def _verify(self, stored: Stored, owner: Owner, opened: Opened, origin: Origin) -> Told | None:
        """Whoever asked was signed in by the password, or chose it in the same request: that one stays."""
        registering = opened.purpose is Purpose.REGISTER
        claimed = await self._ownership.claim(stored, owner, origin, keep=() if registering else (PASSWORD,))
        if claimed is None:
            return None
        if registering:
            await self._take_up(stored, owner, opened)
        return claimed.told

    async def _take_up(self, stored: Stored, owner: Owner, opened: Opened) -> None:
        """Give the account what was chosen when it was registered; a username that is taken by now is left out."""
        now = self._clock.now()
        await stored.owners.set_password(owner.account_id, opened.details["password_hash"], now)
        username = opened.details["username"]
        if username and not await stored.owners.name(owner.account_id, username):
            username = None
        registered = AccountRegistered(
            account_id=owner.account_id, email=owner.email, username=username, created_at=owner.created_at
        )
        await stored.tell(ACCOUNT_REGISTERED, registered)
        await stored.audit.add("account.registered", account_id=owner.account_id)
