"""Notices: letters that ask for nothing, and tell an owner what became of the account."""

from __future__ import annotations

from datetime import timedelta

from libs.auth.mail.letters import Letter, Template
from libs.auth.mail.post import Post
from libs.auth.repository import Owner, Stored
from libs.infra.clock import Clock
from libs.messaging import Caller

_LIFE = timedelta(days=1)  # how long a notice waits for a mail server that is away


class Notices:
    """Writes to owners, where there is a mail server."""

    def __init__(self, post: Post, clock: Clock) -> None:
        self._post = post
        self._clock = clock

    async def tell(
        self, stored: Stored, template: Template, owner: Owner, caller: Caller, **values: str
    ) -> None:
        """Write to the address that the account had when ``owner`` was read."""
        if not self._post.delivers:
            return
        now = self._clock.now()
        said = {
            "email": owner.email,
            "ip": caller.client.ip,
            "time": f"{now:%Y-%m-%d %H:%M} UTC",
            **values,
        }
        letter = Letter(template, owner.email, self._post.locale(caller, owner.details), said)
        await self._post.put(stored, letter, account_id=owner.account_id, until=now + _LIFE)
