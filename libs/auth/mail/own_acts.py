"""What an owner does to the account and is written to about, for it could have been whoever holds a stolen session."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

import structlog

from libs.auth.callers import account_of
from libs.auth.machines import ApiKeys
from libs.auth.mail.letters import Template
from libs.auth.mail.notices import Notices
from libs.auth.mail.post import Post
from libs.auth.mail.settings import MailSettings
from libs.auth.password_change import PasswordChange
from libs.auth.repository import Stored
from libs.auth.throttling import Rate, Rates
from libs.domain.auth import ChangePasswordRequest, CreateApiKeyRequest, NewApiKey, TooManyAttempts
from libs.messaging import Caller, Empty

_log = structlog.get_logger(__name__)
_HOUR = 3600.0


class OwnActs:
    """Does what it is asked for also where there is no mail server, and then writes to nobody.

    An account gets `AUTH_MAIL_ADDRESS_PER_HOUR` letters of a kind: the address may be somebody else's, whose mailbox nobody
    shall fill by making keys.
    """

    def __init__(
        self,
        password_change: PasswordChange,
        api_keys: ApiKeys,
        rates: Rates,
        settings: MailSettings,
        post: Post,
        notices: Notices,
    ) -> None:
        self._password_change = password_change
        self._api_keys = api_keys
        self._rates = rates
        self._per_hour = settings.address_per_hour
        self._post = post
        self._notices = notices

    async def change_password(self, request: ChangePasswordRequest, caller: Caller) -> Empty:
        """`PasswordChange.change`, told to the owner."""
        done = await self._password_change.change(
            request, caller, also=self._letter(Template.NEW_PASSWORD, caller)
        )
        self._post.posted()
        return done

    async def create_api_key(self, request: CreateApiKeyRequest, caller: Caller) -> NewApiKey:
        """`ApiKeys.create`, told to the owner."""
        made = await self._api_keys.create(request, caller, also=self._letter(Template.NEW_API_KEY, caller))
        self._post.posted()
        return made

    def _letter(self, template: Template, caller: Caller) -> Callable[[Stored], Awaitable[None]]:
        """Writes to the owner in the transaction of what is told; only what was done counts for the rate."""

        async def write(stored: Stored) -> None:
            owner = await stored.owners.by_id(account_of(caller)) if self._post.delivers else None
            if owner is not None and await self._may_write(template, owner.account_id):
                await self._notices.tell(stored, template, owner, caller)

        return write

    async def _may_write(self, template: Template, account_id: UUID) -> bool:
        if not self._per_hour:
            return True
        try:
            await self._rates.spend(Rate(f"mail_{template}", self._per_hour, _HOUR), str(account_id))
        except TooManyAttempts:
            _log.warning("notice_left_out", template=str(template), account_id=str(account_id))
            return False
        return True
