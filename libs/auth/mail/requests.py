"""Requests: something is asked for, a code goes to an address, and who has both the request and the code confirms it.

Whoever asks learns nothing: an address that belongs to nobody costs the same statements and gets the same answer; its
letter goes nowhere, and its request can never be confirmed.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from libs.auth.callers import Origin
from libs.auth.mail import codes
from libs.auth.mail.letters import Letter, Template
from libs.auth.mail.post import Post
from libs.auth.mail.settings import MailSettings
from libs.auth.repository import NewRequest, Owner, Storage, Stored
from libs.auth.sealing import derived_key
from libs.auth.throttling import Device, Devices, Guesses, Rate, Rates, site_of
from libs.domain.auth import ByMail, CodeInvalid, CodeSent
from libs.infra.clock import Clock
from libs.messaging import Caller

_HOUR = 3600.0


class Purpose(StrEnum):
    """What a request is for; a code for one opens no other."""

    REGISTER = "register"
    VERIFY = "verify"
    RESET = "reset"
    CODE = "code"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for.

    The code is for ``address``. The letter goes to ``to``, to nobody where that is empty; without ``account_id`` nobody
    can confirm the request. That of a registration is the id of the account that is made when it is confirmed. A letter to
    somebody else goes with the account of its ``reader``.
    """

    purpose: Purpose
    template: Template
    address: str
    to: str
    account_id: UUID | None
    locale: str
    reader: UUID | None = None
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """A request whose code was right; it is open until it is closed."""

    hash: bytes
    purpose: Purpose
    account_id: UUID
    address: bytes
    details: Mapping[str, Any] = field(repr=False)

    def is_for(self, email: str) -> bool:
        """Whether the code went to this address."""
        return hmac.compare_digest(self.address, codes.address_hash(email))


class Requests:
    """Opens and closes requests."""

    def __init__(
        self,
        storage: Storage,
        post: Post,
        rates: Rates,
        settings: MailSettings,
        devices: Devices,
        clock: Clock,
        *,
        secret: bytes,
    ) -> None:
        self._storage = storage
        self._post = post
        self._rates = rates
        self._settings = settings
        self._devices = devices
        self._clock = clock
        # NIST SP 800-63B, section 3.2.2, allows 100 failures in a row for what has less than 64 bits.
        self._guesses = Guesses(rates.store, limit=settings.failures, memory=rates.memory)
        self._addresses = derived_key(secret, b"gatehouse mailed addresses")

    async def admit(
        self, purpose: Purpose, address: str, caller: Caller, *, device_token: str | None = None
    ) -> int:
        """How many digits the code must have.

        A known device has turns of its own. Everybody else has those of the client's address, so that one stranger cannot use
        up the owner's, and all together so many that the mailbox is not flooded. A client without turns takes none of theirs.

        Raises `MailOff` where there is no mail server, `TooManyAttempts` for a client or an address that asks too often.
        """
        self._post.expect_delivery()
        site = site_of(caller.client.ip) if caller.client.ip else None
        if site is not None:
            await self._spend("mail", self._settings.client_per_hour, site)
        name = self._name(codes.address_hash(address))
        device = await self._known(device_token, address)
        if device is not None:
            await self._spend(f"mail_{purpose}", self._settings.address_per_hour, f"device:{device.id.hex()}")
        else:
            await self._spend_strangers(purpose, name, site)
        return codes.LONG if await self._guesses.used_up(name) else codes.SHORT

    async def send(self, purpose: Purpose, template: Template, request: ByMail, caller: Caller) -> CodeSent:
        """Send a code to an address, if it has an account; raises what `admit` raises."""
        email = request.email
        digits = await self.admit(purpose, email, caller, device_token=request.device_token)
        async with self._storage.transaction() as stored:
            owner = await stored.owners.by_address(email)
            asked = Asked(
                purpose=purpose,
                template=template,
                address=email,
                to=owner.email if owner else "",
                account_id=owner.account_id if owner else None,
                locale=self._post.locale(caller, owner.details if owner else {}),
            )
            sent = await self.open(stored, asked, digits, caller)
        self._post.posted()
        return sent

    async def open(self, stored: Stored, asked: Asked, digits: int, caller: Caller) -> CodeSent:
        """Keep the request and post its letter; tell the post once the transaction has committed."""
        request_id, code, now = codes.new_request_id(), codes.new_code(digits), self._clock.now()
        until = now + timedelta(seconds=self._settings.code_seconds)
        await stored.mail.open_request(
            NewRequest(
                hash=codes.request_hash(request_id),
                purpose=asked.purpose,
                account_id=asked.account_id,
                address=codes.address_hash(asked.address),
                code=codes.code_hash(request_id, code),
                sealed=codes.seal_details(request_id, json.dumps(asked.details).encode()),
                created_at=now,
                expires_at=until,
            )
        )
        values = {
            "email": asked.address,
            "code": codes.shown(code),
            "minutes": str(self._settings.code_seconds // 60),
        }
        letter = Letter(asked.template, asked.to, asked.locale, values)
        await self._post.put(stored, letter, account_id=asked.reader or asked.account_id, until=until)
        await stored.audit.add(
            "mail.requested",
            account_id=asked.account_id,
            origin=Origin.of(caller),
            purpose=str(asked.purpose),
        )
        return CodeSent(request_id=request_id, expires_in=self._settings.code_seconds)

    async def attempt(self, request_id: str, code: str, caller: Caller, *purposes: Purpose) -> Opened:
        """The open request of one of these purposes, if the code is its own; raises `CodeInvalid`.

        Every attempt counts, also one that comes to nothing for another reason. Wrong short codes count for the address as
        well, which may be nobody's: after too many even the right one is refused, and the next letter carries a long one.
        """
        hash_ = codes.request_hash(request_id)
        async with self._storage.statements() as stored:
            row = await stored.mail.attempt(hash_, purposes, self._clock.now(), limit=self._settings.attempts)
        if row is None:
            raise CodeInvalid
        purpose, typed = Purpose(row.purpose), codes.typed(code)
        async with self._counted(row.address, typed):
            right = hmac.compare_digest(row.code, codes.code_hash(request_id, typed))
            if not right or row.account_id is None:
                await self._note_failure(row.account_id, purpose, caller)
                raise CodeInvalid
        details = json.loads(codes.open_details(request_id, row.sealed))
        return Opened(hash_, purpose, row.account_id, row.address, details)

    async def _spend_strangers(self, purpose: Purpose, name: str, site: str | None) -> None:
        if site is not None:
            await self._spend(f"mail_{purpose}", self._settings.address_per_hour, f"{name}:{site}")
        await self._spend(f"mail_{purpose}_total", self._settings.address_total_per_hour, name)

    async def _spend(self, rate: str, per_hour: int, whose: str) -> None:
        """Take a turn of ``whose``, unless there is no limit."""
        if per_hour:
            await self._rates.spend(Rate(rate, per_hour, _HOUR), whose)

    async def _known(self, device_token: str | None, address: str) -> Device | None:
        """The device that asks, if it is known to the account of the address."""
        if device_token is None:
            return None
        return self._devices.known(device_token, await self._storage.login(address))

    def _counted(self, address_hash: bytes, typed: str) -> AbstractAsyncContextManager[None]:
        """Where the code is judged: only what is as long as a short code can be one."""
        return self._guesses.of(self._name(address_hash)) if len(typed) == codes.SHORT else nullcontext()

    def _name(self, address_hash: bytes) -> str:
        """How an address is called outside of the database."""
        return hmac.digest(self._addresses, address_hash, "sha256").hex()

    async def close(self, stored: Stored, opened: Opened) -> Owner:
        """Use the request, and close every other one of the account, which nobody else changes meanwhile.

        Raises `CodeInvalid` where it was used by now, or where the account is shut or has another address.
        """
        now = self._clock.now()
        owner = await stored.owners.locked(
            opened.account_id
        )  # first, so that two confirmations cannot deadlock
        if owner is None:
            raise CodeInvalid
        await self.use(stored, opened)
        if opened.purpose is not Purpose.CHANGE and not opened.is_for(owner.email):
            raise CodeInvalid
        await stored.mail.close_all(opened.account_id, now)
        return owner

    async def use(self, stored: Stored, opened: Opened) -> None:
        """Let nobody use the request again; raises `CodeInvalid` where it was used by now."""
        if not await stored.mail.close_request(opened.hash, self._clock.now()):
            raise CodeInvalid

    async def _note_failure(self, account_id: UUID | None, purpose: str, caller: Caller) -> None:
        async with self._storage.transaction() as stored:
            await stored.audit.add(
                "code.failed", account_id=account_id, origin=Origin.of(caller), purpose=purpose
            )
