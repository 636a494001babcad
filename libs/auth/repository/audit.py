"""Every statement about the audit log."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from libs.auth.callers import Origin
from libs.auth.orm import AuditRow
from libs.messaging import new_message_id


class AuditRepository:
    """The audit log, as one transaction writes it."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(
        self,
        event: str,
        *,
        account_id: UUID | None = None,
        session_id: UUID | None = None,
        origin: Origin | None = None,
        **details: Any,
    ) -> None:
        """What happened to whom, from where; ``details`` must be fit for JSON and hold no secret."""
        seen = origin or Origin()
        await self._session.execute(
            insert(AuditRow).values(
                id=UUID(new_message_id()),
                event=event,
                account_id=account_id,
                session_id=session_id,
                ip=seen.ip,
                user_agent=seen.user_agent,
                details=details,
            )
        )
