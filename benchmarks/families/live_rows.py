"""Looking, again and again, whether every session has exactly one live refresh token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import text

from libs.infra.database import Database

_PAUSE = 0.005  # s between two looks
_QUESTION = text(
    "SELECT count(*) AS sessions, count(*) FILTER (WHERE live <> 1) AS wrong FROM ("
    " SELECT count(token.hash) AS live FROM auth.sessions AS session"
    " LEFT JOIN auth.refresh_tokens AS token ON token.session_id = session.id AND token.used_at IS NULL"
    " GROUP BY session.id) AS counted"
)


@dataclass
class LiveRows:
    """What was seen: how often somebody looked, and how many sessions had no or more than one live token then."""

    looks: int = 0
    wrong: int = 0

    @classmethod
    @asynccontextmanager
    async def watched(cls, database: Database) -> AsyncGenerator[LiveRows]:
        """Look as long as the block runs, and once more after it."""
        rows = cls()
        over = asyncio.Event()
        watching = asyncio.create_task(rows._watch(database, over))
        try:
            yield rows
        finally:
            over.set()
            await watching

    async def _watch(self, database: Database, over: asyncio.Event) -> None:
        last = False
        while not last:
            last = over.is_set()
            async with database.statements() as session:
                found = (await session.execute(_QUESTION)).one()
            self.looks += 1
            self.wrong += found.wrong
            await asyncio.sleep(_PAUSE)
