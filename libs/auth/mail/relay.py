"""The relay of letters: brings what was posted to the mail server, again and again until it is taken or too late."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Self

import structlog

from libs.auth.mail.composing import compose, mailbox
from libs.auth.mail.letters import Letter
from libs.auth.mail.templates import Templates
from libs.auth.repository import SealedLetter, Storage
from libs.auth.sealing import SealBroken, Sealer
from libs.infra.clock import Clock
from libs.infra.smtp import MailAway, MailRefused, Smtp
from libs.messaging import Unavailable

_log = structlog.get_logger(__name__)
_AT_ONCE = 8  # letters, each on a connection of its own
_POLL = 1.0  # s between two looks for letters that other processes left, or that were put off
_MARGIN = 5.0  # s beyond the longest delivery, after which a letter whose process died is anybody's
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # s
_STOP_SECONDS = 5.0


class MailRelay:
    """Sends each letter at least once: a crash after the server took it, and before that is noted, sends it again.

    Several processes share the work; a letter is taken by one of them for a bounded time.
    """

    def __init__(
        self, storage: Storage, templates: Templates, sealer: Sealer, smtp: Smtp, clock: Clock
    ) -> None:
        self._storage = storage
        self._templates = templates
        self._sealer = sealer
        self._smtp = smtp
        self._clock = clock
        self._lease = timedelta(seconds=smtp.timeout + _MARGIN)
        self._woken = asyncio.Event()
        self._stopping = False
        self._running: asyncio.Task[None] | None = None

    def start(self) -> Self:
        """Run until `stop`."""
        self._running = asyncio.create_task(self._run())
        return self

    def wake(self) -> None:
        """There is something to send."""
        self._woken.set()

    async def stop(self) -> None:
        """Send what is due, within a bound; what is left stays in the table."""
        self._stopping = True
        self.wake()
        if self._running is None:
            return
        _, late = await asyncio.wait([self._running], timeout=_STOP_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            if await self._attempt():
                continue
            if self._stopping:
                return
            try:
                async with asyncio.timeout(_POLL):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def _attempt(self) -> bool:
        """One pass, whatever goes wrong; says whether there may be more to do at once."""
        try:
            return await self._send_due()
        except Unavailable as error:
            _log.warning("letters_wait", reason=str(error))
        except Exception:  # ruff: ignore[blind-except]  # the relay must outlive whatever one pass meets
            _log.exception("letters_pass_failed")
        return False

    async def _send_due(self) -> bool:
        async with self._storage.transaction() as stored:
            due = await stored.mail.take(self._clock.now(), lease=self._lease, limit=_AT_ONCE)
        results = await asyncio.gather(*(self._deal_with(one) for one in due), return_exceptions=True)
        for failed in (one for one in results if isinstance(one, BaseException)):
            raise failed
        return len(due) == _AT_ONCE

    async def _deal_with(self, waiting: SealedLetter) -> None:
        if waiting.expires_at <= self._clock.now():
            await self._give_up(waiting, "expired")
            return
        try:
            letter = Letter.opened(waiting.sealed, self._sealer, waiting.id)
        except SealBroken:
            await self._give_up(waiting, "sealed with an unknown key")
            return
        try:
            if letter.to:
                await self._deliver(letter, waiting)
        except MailRefused as error:
            await self._give_up(waiting, str(error))
        except MailAway as error:
            await self._put_off(waiting, str(error))
        else:
            async with self._storage.statements() as stored:
                await stored.mail.done(waiting.id)

    async def _deliver(self, letter: Letter, waiting: SealedLetter) -> None:
        said = self._templates.render(letter.template, letter.locale, letter.values)
        message = compose(letter, said, letter_id=waiting.id, sender=self._smtp.sender, at=waiting.created_at)
        await self._smtp.deliver(message, to=mailbox(letter.to))
        _log.info("letter_sent", id=str(waiting.id), template=waiting.template, attempts=waiting.attempts)

    async def _put_off(self, waiting: SealedLetter, reason: str) -> None:
        """Try again after a pause that doubles with each attempt; when it has expired, to give it up."""
        pause = min(_FIRST_PAUSE * 2.0 ** min(waiting.attempts - 1, 30), _LONGEST_PAUSE)
        until = min(self._clock.now() + timedelta(seconds=pause), waiting.expires_at)
        _log.warning("letter_put_off", id=str(waiting.id), template=waiting.template, reason=reason)
        async with self._storage.statements() as stored:
            await stored.mail.postpone(waiting.id, until)

    async def _give_up(self, waiting: SealedLetter, reason: str) -> None:
        _log.error("letter_given_up", id=str(waiting.id), template=waiting.template, reason=reason)
        async with self._storage.transaction() as stored:
            await stored.mail.done(waiting.id)
            await stored.audit.add(
                "mail.given_up", account_id=waiting.account_id, letter=waiting.template, reason=reason
            )
