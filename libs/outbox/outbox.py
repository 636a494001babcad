"""The transactional outbox: an event is a row of the transaction that decided it.

A row is told by its own process first: while it is fresh, only that process claims it, so that a request can wait for
the confirm of its own event; what is left over, because the process died or its broker was away, anybody's relay tells.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from sqlalchemy import (
    Integer,
    Row,
    Select,
    Table,
    bindparam,
    delete,
    event,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from libs.infra.database import Database
from libs.messaging import EventMessage, new_message_id

_FRESH = timedelta(milliseconds=500)
_FIRST_PAUSE = 1.0  # s


class Claim:
    """Rows that no other relay can take until the transaction ends."""

    def __init__(self, session: AsyncSession, table: Table, rows: Sequence[Row[Any]]) -> None:
        self._session = session
        self._table = table
        self.messages = [_message(row) for row in rows]
        self._attempts = {str(row.id): int(row.attempts) for row in rows}

    async def sent(self, ids: Collection[str]) -> None:
        """Mark the rows of these messages as told."""
        if ids:
            rows = self._table.c.id.in_([UUID(one) for one in ids])
            await self._session.execute(update(self._table).where(rows).values(sent_at=func.now()))

    async def postpone(self, message_id: str, *, limit: float) -> None:
        """Try this one again after a pause that doubles with each attempt, up to ``limit`` seconds."""
        attempts = self._attempts[message_id]
        pause = min(_FIRST_PAUSE * 2.0 ** min(attempts, 30), limit)
        await self._session.execute(
            update(self._table)
            .where(self._table.c.id == UUID(message_id))
            .values(attempts=attempts + 1, not_before=func.now() + timedelta(seconds=pause))
        )


class Outbox:
    """One process's end of the table.

    Without a relay in the same process (``relayed=False``), relays elsewhere are woken by NOTIFY.
    """

    def __init__(self, table: Table, *, relayed: bool) -> None:
        self.channel = f"{table.schema}_outbox"
        self._table = table
        self._origin = new_message_id() if relayed else ""
        self._told: WeakValueDictionary[str, asyncio.Future[None]] = WeakValueDictionary()
        self._wake: Callable[[bool], None] = lambda _urgent: None
        self._notify = select(func.pg_notify(self.channel, ""))
        self._waiting = self._statement()

    def on_commit(self, wake: Callable[[bool], None]) -> None:
        """Call ``wake(urgent)`` whenever a transaction with an event commits in this process."""
        self._wake = wake

    async def add(
        self, session: AsyncSession, message: EventMessage, *, urgent: bool = False
    ) -> asyncio.Future[None]:
        """Tell ``message`` if this transaction commits; ``urgent`` ones overtake the others.

        The future is done once the broker has confirmed it to this process; it may be dropped.
        """
        (told,) = await self.add_all(session, [message], urgent=urgent)
        return told

    async def add_all(
        self, session: AsyncSession, messages: Sequence[EventMessage], *, urgent: bool = False
    ) -> list[asyncio.Future[None]]:
        """The same for many messages in one statement; none of them is no work."""
        if not messages:
            return []
        rows = [self.row(message, urgent=urgent) for message in messages]
        await session.execute(insert(self._table), rows if len(rows) > 1 else rows[0])
        if not self._origin:
            await session.execute(self._notify)
        event.listen(session.sync_session, "after_commit", lambda _: self._wake(urgent), once=True)
        return [self._expected(message.message_id) for message in messages]

    def row(self, message: EventMessage, *, urgent: bool = False) -> dict[str, Any]:
        """The message as a row, for a statement that adds it beside other things; `added` comes after it."""
        return {
            "id": UUID(message.message_id),
            "name": message.name,
            "body": message.body,
            "channel": message.channel,
            "mandatory": message.mandatory,
            "traceparent": message.traceparent,
            "urgent": urgent,
            "origin": self._origin,
        }

    async def added(self, connection: AsyncConnection, *, urgent: bool = False) -> None:
        """A statement has committed a `row` by itself: wake who tells it."""
        if not self._origin:
            await connection.execute(self._notify)
        self._wake(urgent)

    def _expected(self, message_id: str) -> asyncio.Future[None]:
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._told[message_id] = told
        return told

    def confirmed(self, message_id: str) -> None:
        """The broker has this message: whoever waits for it goes on."""
        told = self._told.pop(message_id, None)
        if told is not None and not told.done():
            told.set_result(None)

    @asynccontextmanager
    async def claim(self, database: Database, *, urgent: bool, limit: int) -> AsyncGenerator[Claim]:
        """The oldest rows that wait, for as long as the block runs; raises `DatabaseAway`."""
        async with database.transaction() as session:
            found = await session.execute(self._waiting, {"is_urgent": urgent, "most": limit})
            yield Claim(session, self._table, found.all())

    def _statement(self) -> Select[Any]:
        """What `claim` looks for, put together once: that costs as much as sending it."""
        row = self._table.c
        mine = row.origin.in_([self._origin, ""])
        return (
            select(self._table)
            .where(
                row.sent_at.is_(None),
                row.urgent == bindparam("is_urgent"),
                or_(mine, row.created_at < func.now() - _FRESH),
                or_(row.not_before.is_(None), row.not_before < func.now()),
            )
            .order_by(row.id)
            .limit(bindparam("most", type_=Integer()))
            .with_for_update(skip_locked=True)
        )

    async def sweep(self, session: AsyncSession, *, older_than: datetime, limit: int) -> int:
        """Remove at most ``limit`` rows that were told before ``older_than``; says how many there were."""
        row = self._table.c
        old = select(row.id).where(row.sent_at < older_than).limit(limit).with_for_update(skip_locked=True)
        removed = await session.execute(delete(self._table).where(row.id.in_(old)).returning(row.id))
        return len(removed.all())


def _message(row: Row[Any]) -> EventMessage:
    return EventMessage(
        name=row.name,
        body=row.body,
        channel=row.channel,
        mandatory=row.mandatory,
        message_id=str(row.id),
        timestamp=int(row.created_at.timestamp()),
        traceparent=row.traceparent,
    )
