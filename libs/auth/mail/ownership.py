"""Ownership: what changes once somebody has shown that an account's address is theirs.

Before that anybody could have registered the address, set a password and kept a session; so whatever was set up then ends
(pre-hijacking: https://arxiv.org/abs/2205.10174).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from libs.auth.callers import Origin
from libs.auth.endings import Endings, Told
from libs.auth.repository import Owner, Stored
from libs.domain.auth import ACCOUNT_UPDATED, AccountUpdated
from libs.infra.clock import Clock


@dataclass(frozen=True, slots=True)
class Claimed:
    """An account whose owner is known from now on: which kinds of credentials are gone, and what was told of it."""

    dropped: Collection[str]
    told: Told


class Ownership:
    """Hands an account to the owner of its address."""

    def __init__(self, endings: Endings, clock: Clock) -> None:
        self._endings = endings
        self._clock = clock

    async def claim(
        self, stored: Stored, owner: Owner, origin: Origin, *, keep: Collection[str] = ()
    ) -> Claimed | None:
        """Verify the address, end all sessions and API keys, drop all credentials but those to ``keep``; None where it is verified."""
        if owner.verified:
            return None
        await stored.owners.verify(owner.account_id, self._clock.now())
        dropped = await stored.owners.drop_credentials(owner.account_id, but=keep)
        keys = await self._endings.api_keys(stored, owner.account_id, origin)
        sessions = await self._endings.all_of(stored, owner.account_id, "email_verified", origin)
        await stored.audit.add("email.verified", account_id=owner.account_id, origin=origin)
        updated = AccountUpdated(account_id=owner.account_id, changed=("email_verified",))
        await stored.tell(ACCOUNT_UPDATED, updated)
        return Claimed(dropped, sessions.after(keys))
