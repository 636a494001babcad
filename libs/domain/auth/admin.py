"""Administration over the bus: what whoever has the scope `admin` sees of accounts and does to them."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from libs.domain.auth.addresses import Email
from libs.domain.auth.audit import AuditEntry
from libs.domain.auth.dto import Username
from libs.domain.auth.machines import ApiKey
from libs.domain.auth.roles import ADMIN, RoleName
from libs.messaging.contract import Empty, Event, Operation, Reply, Request, delete, get, post, scope

ACCOUNTS_PAGE = 50
ACCOUNTS_PAGE_MAX = 200
EXPORT_PAGE = 500
EXPORT_PAGE_MAX = 1000
_ADMINS = scope(ADMIN)


class FindAccounts(Request):
    """A page of the accounts that fit every field that is named, newest first: those older than ``after``."""

    id: UUID | None = None
    email: Email | None = None
    username: Username | None = None
    role: RoleName | None = None
    status: Literal["active", "disabled"] | None = None
    after: UUID | None = None
    limit: int = Field(ACCOUNTS_PAGE, ge=1, le=ACCOUNTS_PAGE_MAX)


class AccountRecord(Reply):
    """An account as an admin sees it."""

    id: UUID
    email: str = Field(examples=["ann@example.com"])
    username: str | None = Field(examples=["ann"])
    status: Literal["active", "disabled"]
    email_verified: bool
    roles: tuple[str, ...] = Field(examples=[["editor"]])
    metadata: dict[str, Any]
    created_at: AwareDatetime
    updated_at: AwareDatetime


class AccountPage(Reply):
    """One page; ``next`` asks for the following one (`after`)."""

    accounts: tuple[AccountRecord, ...]
    next: UUID | None = None


class AccountRef(Request):
    """One account."""

    id: UUID


class CreateAccountRequest(Request):
    """A new account without a password: its owner is asked by e-mail to choose one."""

    email: Email
    username: Username | None = None
    roles: Annotated[tuple[RoleName, ...], Field(max_length=20)] = ()


class RoleOfAccount(Request):
    """A role of an account."""

    id: UUID
    role: RoleName


class EndedSessions(Reply):
    """How many sessions ended."""

    ended: int


class ExportRequest(Request):
    """What is kept of an account: its sessions and audit rows in the order of their ids, from the one after ``after``."""

    id: UUID
    after: UUID | None = None
    limit: int = Field(EXPORT_PAGE, ge=1, le=EXPORT_PAGE_MAX)


class CredentialRecord(Reply):
    """How the account proves itself; what is stored of it, a hash, is not told."""

    kind: str = Field(examples=["password"])
    created_at: AwareDatetime
    changed_at: AwareDatetime


class SessionRecord(Reply):
    """A session, be it over."""

    id: UUID
    methods: tuple[str, ...]
    device: str
    ip: str
    created_at: AwareDatetime
    last_seen_at: AwareDatetime
    expires_at: AwareDatetime
    ended_at: AwareDatetime | None
    end_reason: str | None


class AccountExport(Reply):
    """What is kept of an account; of sessions and audit rows one page, ``next`` asks for the following one (`after`)."""

    account: AccountRecord
    credentials: tuple[CredentialRecord, ...]
    api_keys: tuple[ApiKey, ...]
    sessions: tuple[SessionRecord, ...]
    audit: tuple[AuditEntry, ...]
    next: UUID | None = None


class AccountEnabled(Reply):
    """An account that was shut is open again."""

    account_id: UUID


_ONE = "/v1/admin/accounts/{id}"

ADMIN_FIND = Operation(
    "auth.admin.find",
    FindAccounts,
    AccountPage,
    access=_ADMINS,
    http=get("/v1/admin/accounts"),
    idempotent=True,
    summary="Find accounts by id, address, username, role or status",
)
ADMIN_GET = Operation(
    "auth.admin.get",
    AccountRef,
    AccountRecord,
    access=_ADMINS,
    http=get(_ONE),
    idempotent=True,
    summary="One account",
)
ADMIN_CREATE = Operation(
    "auth.admin.create",
    CreateAccountRequest,
    AccountRecord,
    access=_ADMINS,
    http=post("/v1/admin/accounts", status=201),
    summary="Make an account, whose owner chooses a password by e-mail",
)
ADMIN_DELETE = Operation(
    "auth.admin.delete",
    AccountRef,
    Empty,
    access=_ADMINS,
    http=delete(_ONE),
    summary="Delete an account for good",
)
ADMIN_DISABLE = Operation(
    "auth.admin.disable",
    AccountRef,
    Empty,
    access=_ADMINS,
    http=post(f"{_ONE}/disable", status=204),
    idempotent=True,
    summary="Shut an account and end its sessions",
)
ADMIN_ENABLE = Operation(
    "auth.admin.enable",
    AccountRef,
    Empty,
    access=_ADMINS,
    http=post(f"{_ONE}/enable", status=204),
    idempotent=True,
    summary="Open an account that was shut",
)
ADMIN_EXPORT = Operation(
    "auth.admin.export",
    ExportRequest,
    AccountExport,
    access=_ADMINS,
    http=get(f"{_ONE}/export"),
    summary="Everything that is kept of an account",
)
ADMIN_END_SESSIONS = Operation(
    "auth.admin.end_sessions",
    AccountRef,
    EndedSessions,
    access=_ADMINS,
    http=delete(f"{_ONE}/sessions", status=200),
    idempotent=True,
    summary="End every session of an account",
)
ADMIN_RESET_FACTORS = Operation(
    "auth.admin.reset_factors",
    AccountRef,
    Empty,
    access=_ADMINS,
    http=post(f"{_ONE}/reset-factors", status=204),
    idempotent=True,
    summary="Remove what an account signs in with; its owner is asked by e-mail to choose a password",
)
ADMIN_GIVE_ROLE = Operation(
    "auth.admin.give_role",
    RoleOfAccount,
    Empty,
    access=_ADMINS,
    http=post(f"{_ONE}/roles/{{role}}", status=204),
    idempotent=True,
    summary="Give an account a role",
)
ADMIN_TAKE_ROLE = Operation(
    "auth.admin.take_role",
    RoleOfAccount,
    Empty,
    access=_ADMINS,
    http=delete(f"{_ONE}/roles/{{role}}"),
    idempotent=True,
    summary="Take a role from an account, and end its sessions",
)

ADMIN_OPERATIONS = (
    ADMIN_FIND,
    ADMIN_GET,
    ADMIN_CREATE,
    ADMIN_DELETE,
    ADMIN_DISABLE,
    ADMIN_ENABLE,
    ADMIN_EXPORT,
    ADMIN_END_SESSIONS,
    ADMIN_RESET_FACTORS,
    ADMIN_GIVE_ROLE,
    ADMIN_TAKE_ROLE,
)

ACCOUNT_ENABLED = Event("auth.account.enabled", AccountEnabled)

ADMIN_EVENTS = (ACCOUNT_ENABLED,)
