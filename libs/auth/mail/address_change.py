"""Another address for an account: confirmed at the new one, told to the old one."""

from __future__ import annotations

from libs.auth.callers import Origin, SignedIn
from libs.auth.endings import Endings
from libs.auth.mail.letters import Template
from libs.auth.mail.notices import Notices
from libs.auth.mail.post import Post
from libs.auth.mail.requests import Asked, Purpose, Requests
from libs.auth.password_proof import PasswordProof
from libs.auth.recent_sign_in import RecentSignIn
from libs.auth.repository import Owner, Storage
from libs.domain.auth import (
    ACCOUNT_UPDATED,
    AccountUpdated,
    ChangeEmailRequest,
    CodeInvalid,
    CodeSent,
    ConfirmCode,
    SessionEnded,
)
from libs.infra.clock import Clock
from libs.messaging import Caller, Empty


class AddressChange:
    """Sends codes to new addresses, and takes them."""

    def __init__(
        self,
        storage: Storage,
        proof: PasswordProof,
        recent: RecentSignIn,
        requests: Requests,
        post: Post,
        notices: Notices,
        endings: Endings,
        clock: Clock,
    ) -> None:
        self._storage = storage
        self._proof = proof
        self._recent = recent
        self._requests = requests
        self._post = post
        self._notices = notices
        self._endings = endings
        self._clock = clock

    async def ask(self, request: ChangeEmailRequest, caller: Caller) -> CodeSent:
        """Send a code to the new address, or tell its owner that somebody wanted it.

        Raises `InvalidCredentials` for a wrong password, `SignInTooOld` where none came along and the sign-in is old.
        """
        who = SignedIn.of(caller)
        if request.password is not None:
            await self._proof.by(who, request.password, caller)
        digits = await self._requests.admit(Purpose.CHANGE, request.email, caller)
        async with self._storage.transaction() as stored:
            if request.password is None:
                await self._recent.expect(stored, who)
            mine = await stored.owners.by_id(who.account_id)
            if mine is None:
                raise SessionEnded
            taken = await stored.owners.by_address(request.email)
            sent = await self._requests.open(
                stored, self._asked(request, mine, taken, caller), digits, caller
            )
        self._post.posted()
        return sent

    def _asked(self, request: ChangeEmailRequest, mine: Owner, taken: Owner | None, caller: Caller) -> Asked:
        """The account may take its own address in another spelling."""
        free = taken is None or taken.account_id == mine.account_id
        return Asked(
            purpose=Purpose.CHANGE,
            template=Template.CHANGE if free else Template.CHANGE_TAKEN,
            address=request.email,
            to=request.email,
            account_id=mine.account_id if free else None,
            locale=self._post.locale(caller, mine.details if free or taken is None else taken.details),
            reader=taken.account_id if taken else None,
            details={"email": request.email},
        )

    async def confirm(self, request: ConfirmCode, caller: Caller) -> Empty:
        """Change the address and end the other sessions; raises `CodeInvalid`, `AccountExists` where it is taken by now."""
        who, origin = SignedIn.of(caller), Origin.of(caller)
        opened = await self._requests.attempt(request.request_id, request.code, caller, Purpose.CHANGE)
        if opened.account_id != who.account_id:
            raise CodeInvalid
        email = str(opened.details["email"])
        async with self._storage.transaction() as stored:
            owner = await self._requests.close(stored, opened)
            await stored.owners.move(owner.account_id, email, self._clock.now())
            await stored.audit.add(
                "email.changed", account_id=owner.account_id, session_id=who.session_id, origin=origin
            )
            updated = AccountUpdated(account_id=owner.account_id, changed=("email", "email_verified"))
            await stored.tell(ACCOUNT_UPDATED, updated)
            await self._notices.tell(stored, Template.EMAIL_CHANGED, owner, caller, new_email=email)
            told = await self._endings.all_of(
                stored, owner.account_id, "email_changed", origin, but=who.session_id
            )
        self._post.posted()
        await told.heard()
        return Empty()
