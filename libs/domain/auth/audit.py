"""Security events: what is worth knowing afterwards, in the audit log and on the bus alike."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias
from uuid import UUID

from pydantic import AwareDatetime, Field

from libs.messaging.contract import Event, Reply

SecurityEvent: TypeAlias = Literal[
    "account.registered",
    "account.imported",
    "account.updated",
    "account.disabled",
    "account.deleted",
    "account.enabled",
    "account.exported",
    "role.given",
    "role.taken",
    "factors.reset",
    "login.failed",
    "login.throttled",
    "session.started",
    "session.ended",
    "password.changed",
    "password.reset",
    "email.verified",
    "email.changed",
    "mail.requested",
    "mail.given_up",
    "code.failed",
    "reauthentication.failed",
    "keys.created",
    "keys.rotation_asked",
    "keys.rotated",
    "keys.revoked",
    "api_key.created",
    "api_key.revoked",
    "service.created",
    "service.signed_in",
    "service.sign_in_failed",
    "service.secret_replaced",
    "service.disabled",
]
"""Every kind there is; each has its row in docs/reference/events.md."""


class AuditEntry(Reply):
    """One row of the audit log, as it is told."""

    id: UUID
    at: AwareDatetime
    event: str = Field(description="One of the kinds in docs/reference/events.md.", examples=["login.failed"])
    account_id: UUID | None = Field(description="Whom it is about.")
    actor_id: UUID | None = Field(
        description="The account that was signed in when it was done, or the service account that called."
    )
    session_id: UUID | None
    ip: str
    user_agent: str
    details: dict[str, Any]


AUDITED = Event("auth.audited", AuditEntry)
