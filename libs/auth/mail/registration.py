"""Registration: at once, or by whoever can read the address's mail where addresses are verified first."""

from __future__ import annotations

from uuid import UUID

from libs.auth.accounts import Accounts
from libs.auth.mail.letters import Template
from libs.auth.mail.post import Post
from libs.auth.mail.requests import Asked, Purpose, Requests
from libs.auth.passwords import Passwords
from libs.auth.repository import NewAccount, Owner, Storage
from libs.domain.auth import CodeSent, Registered, RegisterRequest
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

        The password and the username wait in the request, and the account has them once its owner confirms it: of
        several who register an address, only the one who can read its mail gets an account, and with their own password.
        Until then it has none, or a sign-in would tell whoever registers a taken address that it is taken.
        """
        about = tuple(one for one in (request.email, request.username) if one)
        await self._passwords.check_new(request.password, about=about)
        digits = await self._requests.admit(Purpose.REGISTER, request.email, caller)
        password_hash = await self._passwords.hash(request.password, caller.deadline)
        new = NewAccount(UUID(new_message_id()), request.email, username=None, created_at=self._clock.now())
        async with self._storage.transaction() as stored:
            await stored.accounts.add(new)
            owner = await stored.owners.by_address(request.email)
            sent = await self._requests.open(
                stored, self._asked(request, password_hash, owner, caller), digits, caller
            )
        self._post.posted()
        return sent

    def _asked(
        self, request: RegisterRequest, password_hash: str, owner: Owner | None, caller: Caller
    ) -> Asked:
        free = owner is not None and not owner.verified
        return Asked(
            purpose=Purpose.REGISTER,
            template=Template.VERIFY if free else Template.REGISTER_TAKEN,
            address=request.email,
            to=owner.email if owner else "",  # nobody writes to an account that is shut
            account_id=owner.account_id if owner and free else None,
            locale=self._post.locale(caller, owner.details if owner else {}),
            reader=owner.account_id if owner else None,
            details={"username": request.username, "password_hash": password_hash},
        )
