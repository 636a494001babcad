"""Registration: at once, or by whoever can read the address's mail where addresses are verified first."""

from __future__ import annotations

from uuid import UUID

from libs.auth.accounts import Accounts
from libs.auth.callers import Origin
from libs.auth.mail.letters import Template
from libs.auth.mail.post import Post
from libs.auth.mail.requests import Asked, Opened, Purpose, Requests
from libs.auth.new_accounts import make_account
from libs.auth.passwords import Passwords
from libs.auth.repository import NewAccount, Storage, Stored
from libs.domain.auth import AccountExists, CodeInvalid, CodeSent, Registered, RegisterRequest
from libs.infra.clock import Clock
from libs.messaging import Caller, new_message_id


class Registration:
    """Registers accounts, and with ``verified_first`` never tells whether an address has one."""

    def __init__(
        self,
        accounts: Accounts,
        storage: Storage,
        passwords: Passwords,
        requests: Requests,
        post: Post,
        clock: Clock,
        *,
        verified_first: bool,
    ) -> None:
        self._accounts = accounts
        self._storage = storage
        self._passwords = passwords
        self._requests = requests
        self._post = post
        self._clock = clock
        self._verified_first = verified_first

    async def register(self, request: RegisterRequest, caller: Caller) -> Registered:
        """Raises `ValidationFailed` for a weak password, `Overloaded`; `AccountExists` where that may be told."""
        if self._verified_first:
            return Registered(await self._ask(request, caller))
        return Registered(await self._accounts.register(request, caller))

    async def _ask(self, request: RegisterRequest, caller: Caller) -> CodeSent:
        """Send a code to the address, or tell its owner.

        Address, password and username wait sealed in the request, and go with it unless the owner of the address confirms
        it: nothing is kept of people whom somebody else registered. Of several who register an address, only the one who
        can read its mail gets an account, and with their own password.
        """
        about = tuple(one for one in (request.email, request.username) if one)
        await self._passwords.check_new(request.password, about=about)
        digits = await self._requests.admit(Purpose.REGISTER, request.email, caller)
        password_hash = await self._passwords.hash(request.password, caller.deadline)
        async with self._storage.transaction() as stored:
            asked = await self._asked(stored, request, password_hash, caller)
            sent = await self._requests.open(stored, asked, digits, caller)
        self._post.posted()
        return sent

    async def _asked(
        self, stored: Stored, request: RegisterRequest, password_hash: str, caller: Caller
    ) -> Asked:
        """An address that has an account, verified or not, gets none by this; its owner signs in or resets the password."""
        owner = await stored.owners.by_address(request.email)
        taken = await stored.owners.taken(request.email)
        to = request.email if owner is None else owner.email
        details = {
            "email": request.email,
            "username": request.username,
            "password_hash": password_hash,
        }
        return Asked(
            purpose=Purpose.REGISTER,
            template=Template.REGISTER_TAKEN if taken else Template.VERIFY,
            address=request.email,
            to="" if taken and owner is None else to,  # nobody writes to an account that is shut
            account_id=None if taken else UUID(new_message_id()),
            locale=self._post.locale(caller, owner.details if owner else {}),
            reader=owner.account_id if owner else None,
            details=details,
        )

    async def confirm(self, opened: Opened, origin: Origin) -> None:
        """Make the account that was asked for.

        Raises `CodeInvalid` where its address has one by now, as when another request was confirmed, and `AccountExists` where
        only the username is somebody else's.
        """
        new = NewAccount(
            id=opened.account_id,
            email=str(opened.details["email"]),
            username=opened.details["username"],
            created_at=self._clock.now(),
            password_hash=opened.details["password_hash"],
            verified=True,
        )
        async with self._storage.transaction() as stored:
            if not await make_account(stored, new, origin):
                raise CodeInvalid if await stored.owners.taken(new.email) else AccountExists
            await self._requests.use(stored, opened)
            await stored.audit.add("email.verified", account_id=new.id, origin=origin)
