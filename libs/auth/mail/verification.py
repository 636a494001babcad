"""Verification: an address is shown to be its owner's, by asking for it, or by registering where that comes first."""

from __future__ import annotations

from libs.auth.callers import Origin, SignedIn
from libs.auth.mail.letters import Template
from libs.auth.mail.ownership import Ownership
from libs.auth.mail.post import Post
from libs.auth.mail.registration import Registration
from libs.auth.mail.requests import Asked, Opened, Purpose, Requests
from libs.auth.repository import PASSWORD, Storage
from libs.domain.auth import CodeSent, ConfirmCode, EmailVerified, SessionEnded
from libs.messaging import Caller, Empty


class Verification:
    """Sends codes to the address of an account, and takes them."""

    def __init__(
        self,
        storage: Storage,
        requests: Requests,
        post: Post,
        ownership: Ownership,
        registration: Registration,
    ) -> None:
        self._storage = storage
        self._requests = requests
        self._post = post
        self._ownership = ownership
        self._registration = registration

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
        """Verify the address, or make the account that was registered with it; raises `CodeInvalid`, `AccountExists`."""
        opened = await self._requests.attempt(
            request.request_id, request.code, caller, Purpose.VERIFY, Purpose.REGISTER
        )
        if opened.purpose is Purpose.REGISTER:
            await self._registration.confirm(opened, Origin.of(caller))
        else:
            await self._verify(opened, Origin.of(caller))
        return Empty()

    async def _verify(self, opened: Opened, origin: Origin) -> None:
        """Whoever asked was signed in by the password: that one stays."""
        async with self._storage.transaction() as stored:
            owner = await self._requests.close(stored, opened)
            claimed = await self._ownership.claim(stored, owner, origin, keep=(PASSWORD,))
        if claimed is not None:
            await claimed.told.heard()
