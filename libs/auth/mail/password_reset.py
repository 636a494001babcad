"""Password reset: a new password for whoever can read the account's mail."""

from __future__ import annotations

from libs.auth.callers import Origin
from libs.auth.endings import Endings, Told
from libs.auth.mail.letters import Template
from libs.auth.mail.notices import Notices
from libs.auth.mail.ownership import Ownership
from libs.auth.mail.post import Post
from libs.auth.mail.requests import Purpose, Requests
from libs.auth.passwords import Passwords
from libs.auth.repository import PASSWORD, Owner, Storage, Stored
from libs.domain.auth import (
    PASSWORD_CHANGED,
    ByMail,
    CodeInvalid,
    CodeSent,
    NewPasswordByCode,
    PasswordChanged,
)
from libs.infra.clock import Clock
from libs.messaging import Caller, Empty


class PasswordReset:
    """Sends codes to those who forgot their password. It signs nobody in."""

    def __init__(
        self,
        storage: Storage,
        passwords: Passwords,
        requests: Requests,
        post: Post,
        notices: Notices,
        ownership: Ownership,
        endings: Endings,
        clock: Clock,
    ) -> None:
        self._storage = storage
        self._passwords = passwords
        self._requests = requests
        self._post = post
        self._notices = notices
        self._ownership = ownership
        self._endings = endings
        self._clock = clock

    async def ask(self, request: ByMail, caller: Caller) -> CodeSent:
        """Send a code to the address, if it has an account."""
        return await self._requests.send(Purpose.RESET, Template.RESET, request, caller)

    async def confirm(self, request: NewPasswordByCode, caller: Caller) -> Empty:
        """Keep the new password, end all sessions and API keys, and tell the owner.

        Raises `CodeInvalid` before any hash is computed, `ValidationFailed` for a weak password, `Overloaded`; after the
        last two the code is still good, as long as attempts are left.
        """
        opened = await self._requests.attempt(request.request_id, request.code, caller, Purpose.RESET)
        async with self._storage.statements() as stored:
            owner = await stored.owners.by_id(opened.account_id)
        if owner is None:
            raise CodeInvalid
        about = tuple(one for one in (owner.email, owner.username) if one)
        await self._passwords.check_new(request.new_password, field="new_password", about=about)
        new = await self._passwords.hash(request.new_password, caller.deadline)
        async with self._storage.transaction() as stored:
            owner = await self._requests.close(stored, opened)
            told = await self._reset(stored, owner, new, caller)
        self._post.posted()
        await told.heard()
        return Empty()

    async def _reset(self, stored: Stored, owner: Owner, password_hash: str, caller: Caller) -> Told:
        origin = Origin.of(caller)
        await stored.owners.set_password(owner.account_id, password_hash, self._clock.now())
        keys = await self._endings.api_keys(stored, owner.account_id, origin)
        told = (await self._endings.all_of(stored, owner.account_id, "password_reset", origin)).after(keys)
        # Whoever reads the mail owns the address: what others had set up before goes with the old password.
        claimed = await self._ownership.claim(stored, owner, origin, keep=(PASSWORD,))
        await stored.audit.add("password.reset", account_id=owner.account_id, origin=origin)
        await stored.tell(PASSWORD_CHANGED, PasswordChanged(account_id=owner.account_id))
        await self._notices.tell(stored, Template.PASSWORD_CHANGED, owner, caller)
        return told.after(claimed.told) if claimed else told
