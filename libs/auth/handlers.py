"""The table of identity: which method answers which operation."""

from __future__ import annotations

from libs.auth.accounts import Accounts
from libs.auth.keys import Keys
from libs.auth.sessions import Sessions
from libs.domain.auth import (
    HASHING,
    KEYS,
    KEYS_ROTATED,
    LOGIN,
    LOGOUT,
    ME,
    REFRESH,
    REGISTER,
    REVOCATIONS,
    VALIDATE,
)
from libs.messaging import Handlers, Lane, Listeners

SERVICE = "auth"


def handlers(accounts: Accounts, sessions: Sessions, keys: Keys, *, hashing: Lane) -> Handlers:
    """What auth_svc answers; ``hashing`` is the lane of whatever hashes a password."""
    table = Handlers(SERVICE, lanes={HASHING: hashing})
    table.on(REGISTER, accounts.register)
    table.on(LOGIN, accounts.login)
    table.on(ME, accounts.me)
    table.on(REFRESH, sessions.refresh)
    table.on(LOGOUT, sessions.logout)
    table.on(VALIDATE, sessions.validate)
    table.on(REVOCATIONS, sessions.revocations)
    table.on(KEYS, keys.published)
    return table


def control_listeners(keys: Keys) -> Listeners:
    """What every process of auth_svc hears."""
    table = Listeners(SERVICE)
    table.on(KEYS_ROTATED, keys.heard_rotation)
    return table
