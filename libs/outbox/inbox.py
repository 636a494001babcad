"""The inbox: an event that is delivered twice has its effects once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Table, delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession


class Inbox:
    """Which events have had their effects; the mark commits or rolls back together with them."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def first_time(self, session: AsyncSession, *, listener: str, message_id: str) -> bool:
        """Whether ``listener`` has not handled this message yet; it has, once this transaction commits."""
        mark = insert(self._table).values(listener=listener, message_id=UUID(message_id))
        marked = await session.execute(mark.on_conflict_do_nothing().returning(self._table.c.message_id))
        return marked.first() is not None

    async def sweep(self, session: AsyncSession, *, older_than: datetime, limit: int) -> int:
        """Forget at most ``limit`` messages received before ``older_than``; says how many there were."""
        row = self._table.c
        old = select(row.listener, row.message_id).where(row.received_at < older_than).limit(limit)
        removed = await session.execute(
            delete(self._table).where(tuple_(row.listener, row.message_id).in_(old)).returning(row.message_id)
        )
        return len(removed.all())
