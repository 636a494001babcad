"""The post: where a letter is left, in the transaction of what it tells of, to be brought to the mail server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.auth.mail.languages import languages
from libs.auth.mail.letters import Letter
from libs.auth.mail.templates import Templates
from libs.auth.repository import SealedLetter, Stored
from libs.auth.sealing import Sealer
from libs.domain.auth import MailOff
from libs.infra.clock import Clock
from libs.messaging import Caller, new_message_id


class Post:
    """Takes letters. What they say, and to whom they go, nobody can read in the database."""

    def __init__(
        self,
        templates: Templates,
        sealer: Sealer,
        clock: Clock,
        *,
        delivers: bool,
        wake: Callable[[], None],
    ) -> None:
        self._templates = templates
        self._sealer = sealer
        self._clock = clock
        self.delivers = delivers
        """Whether there is a mail server."""
        self._wake = wake

    def expect_delivery(self) -> None:
        """Raise `MailOff` where there is no mail server."""
        if not self.delivers:
            raise MailOff

    def locale(self, caller: Caller, details: dict[str, Any]) -> str:
        """In which language to write: what the account's metadata say (`locale`), else what the request asks for."""
        own = details.get("locale")
        wished = languages(own) if isinstance(own, str) else []
        return self._templates.locale_for([*wished, *languages(caller.client.language)])

    async def put(self, stored: Stored, letter: Letter, *, account_id: UUID | None, until: datetime) -> None:
        """Have it sent if this transaction commits, and given up ``until`` then."""
        letter_id = UUID(new_message_id())
        await stored.mail.post(
            SealedLetter(
                id=letter_id,
                account_id=account_id,
                template=letter.template,
                sealed=letter.sealed(self._sealer, letter_id),
                created_at=self._clock.now(),
                expires_at=until,
            )
        )

    def posted(self) -> None:
        """The transaction has committed: let the letter be sent now."""
        self._wake()
