"""The sweeper: removes what is over, a small batch at a time, so that nobody waits for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeAlias

import structlog

from libs.auth.repository import HousekeepingRepository, Storage
from libs.auth.settings import HousekeepingSettings, SessionSettings
from libs.infra.clock import Clock
from libs.outbox import OutboxSettings

_log = structlog.get_logger(__name__)
_ROUND = 20  # batches of one kind in one round; what is left waits for the next

_Removal: TypeAlias = Callable[[HousekeepingRepository, datetime, int], Awaitable[int]]


class Sweeper:
    """Knows how long what is over is kept."""

    def __init__(
        self,
        storage: Storage,
        settings: HousekeepingSettings,
        *,
        sessions: SessionSettings,
        outbox: OutboxSettings,
        clock: Clock,
    ) -> None:
        self._storage = storage
        self._batch = settings.batch
        self._clock = clock
        over = HousekeepingRepository
        self._kept: tuple[tuple[str, float, _Removal], ...] = (
            ("sealed successors", sessions.grace_seconds, over.successors),
            ("spent refresh tokens", 0, over.spent_tokens),
            ("sessions", settings.session_retention, over.sessions),
            ("mail requests", 0, over.mail_requests),
            ("deleted accounts", settings.session_retention, over.deleted_accounts),
            ("API keys", settings.session_retention, over.api_keys),
            ("client secrets", settings.session_retention, over.client_secrets),
            ("signing keys", settings.session_retention, over.keys),
            ("audit rows", settings.audit_retention, over.audit),
            ("sent events", outbox.retention, over.sent_events),
        )

    async def sweep(self) -> None:
        """One round over everything; raises `Unavailable` where the database does not answer."""
        for what, seconds, removal in self._kept:
            before = self._clock.now() - timedelta(seconds=seconds)
            removed = await self._remove(removal, before)
            if removed:
                _log.debug("swept", what=what, rows=removed)

    async def _remove(self, removal: _Removal, before: datetime) -> int:
        total = 0
        for _ in range(_ROUND):
            async with self._storage.transaction() as stored:
                removed = await removal(stored.housekeeping, before, self._batch)
            total += removed
            if removed < self._batch:
                break
        return total
