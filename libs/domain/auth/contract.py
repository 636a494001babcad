"""What auth_svc answers and what it tells: the contract of identity."""

from __future__ import annotations

from libs.domain.auth.admin import ADMIN_EVENTS, ADMIN_OPERATIONS
from libs.domain.auth.audit import AUDITED
from libs.domain.auth.dto import (
    Account,
    AccountDisabled,
    AccountRegistered,
    KeySet,
    KeysRotated,
    LoginReply,
    LoginRequest,
    RefreshRequest,
    RegisterRequest,
    Revocations,
    RevocationsRequest,
    SessionsRevoked,
    TokenPair,
    ValidateRequest,
    Validation,
)
from libs.domain.auth.lanes import HASHING
from libs.domain.auth.machines import MACHINE_OPERATIONS
from libs.domain.auth.mail import MAIL_OPERATIONS, CodeSent, Registered
from libs.domain.auth.own_account import OWN_ACCOUNT_EVENTS, OWN_ACCOUNT_OPERATIONS
from libs.domain.auth.sessions import SESSION_OPERATIONS
from libs.messaging.contract import PUBLIC, SERVICES, Empty, Event, Operation, get, post

REGISTER = Operation(
    "auth.register",
    RegisterRequest,
    Registered,
    access=PUBLIC,
    http=post("/v1/auth/register", status=201, accepted=CodeSent),
    lane=HASHING,
    summary="Create an account; where addresses are verified first, send a code to the address",
)
LOGIN = Operation(
    "auth.login",
    LoginRequest,
    LoginReply,
    access=PUBLIC,
    http=post("/v1/auth/login", no_store=True),
    lane=HASHING,
    summary="Sign in with a password",
)
REFRESH = Operation(
    "auth.refresh",
    RefreshRequest,
    TokenPair,
    access=PUBLIC,
    http=post("/v1/auth/refresh", no_store=True),
    idempotent=True,  # a second run finds the token just used, and gives the same successor
    summary="Exchange a refresh token for new tokens",
)
LOGOUT = Operation(
    "auth.logout",
    Empty,
    Empty,
    http=post("/v1/auth/logout", status=204),
    idempotent=True,
    summary="End this session",
)
ME = Operation(
    "auth.me",
    Empty,
    Account,
    http=get("/v1/auth/me"),
    idempotent=True,
    websocket=True,
    summary="The account that is signed in",
)
VALIDATE = Operation(
    "auth.validate",
    ValidateRequest,
    Validation,
    access=SERVICES,
    idempotent=True,
    summary="Check an access token, also against its session",
)
KEYS = Operation(
    "auth.keys", Empty, KeySet, access=SERVICES, idempotent=True, summary="The public keys of access tokens"
)
REVOCATIONS = Operation(
    "auth.revocations",
    RevocationsRequest,
    Revocations,
    access=SERVICES,
    idempotent=True,
    summary="The sessions that ended while one of their access tokens may still be alive",
)

OPERATIONS = (
    REGISTER,
    LOGIN,
    REFRESH,
    LOGOUT,
    ME,
    VALIDATE,
    KEYS,
    REVOCATIONS,
    *SESSION_OPERATIONS,
    *OWN_ACCOUNT_OPERATIONS,
    *MAIL_OPERATIONS,
    *MACHINE_OPERATIONS,
    *ADMIN_OPERATIONS,
)

ACCOUNT_REGISTERED = Event("auth.account.registered", AccountRegistered)
ACCOUNT_DISABLED = Event("auth.account.disabled", AccountDisabled)
SESSION_REVOKED = Event("auth.session.revoked", SessionsRevoked)
KEYS_ROTATED = Event("auth.keys.rotated", KeysRotated)

EVENTS = (
    ACCOUNT_REGISTERED,
    ACCOUNT_DISABLED,
    SESSION_REVOKED,
    KEYS_ROTATED,
    AUDITED,
    *OWN_ACCOUNT_EVENTS,
    *ADMIN_EVENTS,
)
