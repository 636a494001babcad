"""Export: everything that is kept of an account, but what proves it."""

from __future__ import annotations

from typing import Any

from libs.auth.admin.records import record_of
from libs.auth.callers import Origin
from libs.auth.repository import Storage, Stored
from libs.domain.auth import (
    AccountExport,
    AccountRecord,
    ApiKey,
    AuditEntry,
    CredentialRecord,
    ExportRequest,
    SessionRecord,
)
from libs.messaging import Caller


class Export:
    """Reads everything of one account."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def export(self, request: ExportRequest, caller: Caller) -> AccountExport:
        """A page of it, written down as an event of its own; raises `AccountNotFound`."""
        async with self._storage.transaction() as stored:
            account = await record_of(stored, request.id)
            page = await _page(stored, account, request)
            if request.after is None:
                await stored.audit.add("account.exported", account_id=account.id, origin=Origin.of(caller))
        return page


async def _page(stored: Stored, account: AccountRecord, request: ExportRequest) -> AccountExport:
    """Sessions and audit rows have ids of one order (UUIDv7), so one cursor leads through both."""
    kept, limit = stored.administered, request.limit
    sessions = await kept.sessions(account.id, after=request.after, limit=limit)
    audit = await kept.audit(account.id, after=request.after, limit=limit)
    ids = sorted(row.id for row in (*sessions, *audit))
    last = ids[limit - 1] if len(ids) >= limit else None
    return AccountExport(
        account=account,
        credentials=tuple(
            CredentialRecord(kind=row.kind, created_at=row.created_at, changed_at=row.changed_at)
            for row in await kept.credentials(account.id)
        ),
        api_keys=tuple(
            ApiKey.model_validate(row, from_attributes=True) for row in await kept.api_keys(account.id)
        ),
        sessions=tuple(_session(row) for row in sessions if last is None or row.id <= last),
        audit=tuple(AuditEntry(**row._asdict()) for row in audit if last is None or row.id <= last),
        next=last,
    )


def _session(row: Any) -> SessionRecord:
    return SessionRecord(
        id=row.id,
        methods=tuple(row.methods),
        device=row.user_agent,
        ip=row.ip,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
        expires_at=row.expires_at,
        ended_at=row.ended_at,
        end_reason=row.end_reason,
    )
