"""Every statement about the audit log. What is written down is told on the bus too, by the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from libs.auth.callers import Origin
from libs.auth.orm import AUDIT_LOG
from libs.domain.auth import AUDITED, AuditEntry, SecurityEvent
from libs.messaging import EventMessage, new_message_id
from libs.outbox import Outbox


@dataclass(frozen=True, slots=True)
class Happened:
    """A security event: what happened to whom, from where; ``details`` must be fit for JSON and hold no secret."""

    event: SecurityEvent
    account_id: UUID | None = None
    session_id: UUID | None = None
    origin: Origin = field(default_factory=Origin)
    details: dict[str, Any] = field(default_factory=dict)


class AuditRepository:
    """The audit log, as one transaction writes it."""

    def __init__(self, session: AsyncSession, outbox: Outbox) -> None:
        self._session = session
        self._outbox = outbox

    async def add(
        self,
        event: SecurityEvent,
        *,
        account_id: UUID | None = None,
        session_id: UUID | None = None,
        origin: Origin | None = None,
        **details: Any,
    ) -> None:
        """One event, by the members of `Happened`."""
        await self.add_all([Happened(event, account_id, session_id, origin or Origin(), details)])

    async def add_all(self, happened: Sequence[Happened]) -> None:
        """Many events in two statements."""
        if not happened:
            return
        rows = [_row(one) for one in happened]
        written = await self._session.scalars(
            insert(AUDIT_LOG).returning(AUDIT_LOG.c.at), rows if len(rows) > 1 else rows[0]
        )
        at = written.all()[0]  # one transaction, one moment
        entries = [AuditEntry(at=at, **row) for row in rows]
        await self._outbox.add_all(self._session, [EventMessage.of(AUDITED, entry) for entry in entries])


def audited(one: Happened, *, at: datetime) -> tuple[dict[str, Any], EventMessage]:
    """The row of an event and what is told of it, for a statement that adds both."""
    row = {**_row(one), "at": at}
    return row, EventMessage.of(AUDITED, AuditEntry(**row))


def _row(one: Happened) -> dict[str, Any]:
    return {
        "id": UUID(new_message_id()),
        "event": one.event,
        "account_id": one.account_id,
        "actor_id": one.origin.actor_id,
        "session_id": one.session_id,
        "ip": one.origin.ip,
        "user_agent": one.origin.user_agent,
        "details": {**one.details, **_acted_with(one)},
    }


def _acted_with(one: Happened) -> dict[str, str]:
    """The session, API key or secret that the actor acted with, where it is not the row's own session."""
    if one.origin.credential is None or one.origin.credential[1] == str(one.session_id):
        return {}
    name, id_ = one.origin.credential
    return {name: id_}
