"""Signing in with a code from a letter, instead of a password."""

from __future__ import annotations

from libs.auth.callers import Origin
from libs.auth.mail.letters import Template
from libs.auth.mail.notices import Notices
from libs.auth.mail.ownership import Ownership
from libs.auth.mail.post import Post
from libs.auth.mail.requests import Purpose, Requests
from libs.auth.repository import PASSWORD, Storage
from libs.auth.sessions import Sessions
from libs.auth.throttling import Devices
from libs.domain.auth import ByMail, CodeInvalid, CodeSent, ConfirmCode, LoginReply
from libs.messaging import Caller

_BY_CODE = ("otp",)  # RFC 8176, section 2


class CodeSignIn:
    """Sends codes to sign in with, and takes them."""

    def __init__(
        self,
        storage: Storage,
        sessions: Sessions,
        requests: Requests,
        post: Post,
        notices: Notices,
        ownership: Ownership,
        devices: Devices,
    ) -> None:
        self._storage = storage
        self._sessions = sessions
        self._requests = requests
        self._post = post
        self._notices = notices
        self._ownership = ownership
        self._devices = devices

    async def ask(self, request: ByMail, caller: Caller) -> CodeSent:
        """Send a code to the address, if it has an account."""
        return await self._requests.send(Purpose.CODE, Template.SIGN_IN, request, caller)

    async def confirm(self, request: ConfirmCode, caller: Caller) -> LoginReply:
        """Tokens of a new session; raises `CodeInvalid`.

        Where the address was not verified before, it is now: sessions and the password from before end, since anybody
        could have set them up.
        """
        opened = await self._requests.attempt(request.request_id, request.code, caller, Purpose.CODE)
        origin = Origin.of(caller)
        new = await self._sessions.prepare(opened.account_id)
        async with self._storage.transaction() as stored:
            owner = await self._requests.close(stored, opened)
            claimed = await self._ownership.claim(stored, owner, origin)
            if claimed is not None and PASSWORD in claimed.dropped:
                await self._notices.tell(stored, Template.PASSWORD_REMOVED, owner, caller)
            login = await stored.accounts.by_id(owner.account_id)
            if login is None:
                raise CodeInvalid
            tokens = await self._sessions.start(stored, new, origin, methods=_BY_CODE)
            await stored.audit.add(
                "session.started", account_id=owner.account_id, session_id=tokens.session_id, origin=origin
            )
        self._post.posted()
        if claimed is not None:
            await claimed.told.heard()
        return LoginReply(**tokens.model_dump(), device_token=self._devices.token(login))
