"""The sessions of an account: seeing them, and ending more than the one that asks."""

from __future__ import annotations

from uuid import UUID

from pydantic import AwareDatetime, Field

from libs.domain.auth.dto import RefreshRequest
from libs.messaging.contract import SERVICES, Empty, Operation, Reply, Request, delete, get, post

SESSIONS_PAGE = 50
SESSIONS_PAGE_MAX = 200


class SessionsRequest(Request):
    """A page of the sessions that go on, newest first: those older than the session ``after``."""

    after: UUID | None = None
    limit: int = Field(SESSIONS_PAGE, ge=1, le=SESSIONS_PAGE_MAX)


class SessionSummary(Reply):
    """One sign-in on one device."""

    id: UUID
    device: str = Field(description="The user agent of its latest refresh, as the client sent it.")
    ip: str = Field(description="The address of its latest refresh.", examples=["192.0.2.7"])
    created_at: AwareDatetime
    last_seen_at: AwareDatetime = Field(description="When its tokens were refreshed last.")
    current: bool = Field(description="Whether it is the session that asks.")


class SessionList(Reply):
    """One page; ``next`` asks for the following one (`after`)."""

    sessions: tuple[SessionSummary, ...]
    next: UUID | None = None


class SessionRef(Request):
    """One session of the account."""

    id: UUID


LOGOUT_BY_TOKEN = Operation(
    "auth.logout_by_token",
    RefreshRequest,
    Empty,
    access=SERVICES,
    idempotent=True,
    summary="End the session of a refresh token, for the gateway's pages whose access token is over",
)
LOGOUT_ALL = Operation(
    "auth.logout_all",
    Empty,
    Empty,
    http=post("/v1/auth/logout/all", status=204),
    idempotent=True,
    summary="End every session of the account, this one too",
)
LOGOUT_OTHERS = Operation(
    "auth.logout_others",
    Empty,
    Empty,
    http=post("/v1/auth/logout/others", status=204),
    idempotent=True,
    summary="End every other session of the account; asks for a recent sign-in",
)
SESSIONS = Operation(
    "auth.sessions",
    SessionsRequest,
    SessionList,
    http=get("/v1/auth/sessions"),
    idempotent=True,
    websocket=True,
    summary="The sessions of the account that go on",
)
END_SESSION = Operation(
    "auth.end_session",
    SessionRef,
    Empty,
    http=delete("/v1/auth/sessions/{id}"),
    idempotent=True,
    summary="End one session of the account; one that does not ask itself takes a recent sign-in",
)

SESSION_OPERATIONS = (LOGOUT_BY_TOKEN, LOGOUT_ALL, LOGOUT_OTHERS, SESSIONS, END_SESSION)
