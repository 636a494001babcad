"""What an operator's command does beside the running service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from pydantic import SecretStr

from libs.auth import (
    Administration,
    ApiKeySettings,
    BreachSettings,
    ClaimsSettings,
    KeySettings,
    PasswordSettings,
    RoleSettings,
    SessionSettings,
    ThrottleSettings,
    UnknownAccount,
)
from libs.containers.auth_container import administration
from libs.domain.auth import AccountExists, LastAdmin, RefreshRequest, RegisterRequest, SessionEnded
from libs.infra.database import DatabaseSettings
from libs.infra.jwt import TokenSettings
from libs.messaging import ValidationFailed
from tests.fixtures.accounts import FROM_CLIENT, PASSWORD, QUICK, AuthWorld, eventually, key_settings
from tests.fixtures.database import MigratedDatabase

BOB = RegisterRequest(email="bob@example.com", password=PASSWORD, username="bob")


@dataclass(frozen=True)
class Sections:
    database: DatabaseSettings
    tokens: TokenSettings = field(default_factory=TokenSettings)
    keys: KeySettings = field(default_factory=key_settings)
    sessions: SessionSettings = field(default_factory=SessionSettings)
    passwords: PasswordSettings = QUICK
    breaches: BreachSettings = field(default_factory=BreachSettings)
    api_keys: ApiKeySettings = field(default_factory=ApiKeySettings)
    roles: RoleSettings = field(default_factory=RoleSettings)
    claims: ClaimsSettings = field(default_factory=ClaimsSettings)
    throttles: ThrottleSettings = field(default_factory=ThrottleSettings)


@pytest.fixture
async def operator(auth: AuthWorld, database: MigratedDatabase) -> AsyncIterator[Administration]:
    async with administration(Sections(DatabaseSettings(url=SecretStr(database.url)))) as hands:
        yield hands


async def test_an_account_that_was_made_signs_in(auth: AuthWorld, operator: Administration) -> None:
    account = await operator.create_account(BOB)
    tokens = await auth.login("bob")
    assert auth.keys.verifier.verify(tokens.access_token).sub == str(account.id)
    await eventually(lambda: "auth.account.registered" in auth.bus.names())
    with pytest.raises(AccountExists):
        await operator.create_account(BOB)


async def test_nobody_is_there_before_somebody_is_made(auth: AuthWorld) -> None:
    assert not await auth.rows("SELECT id FROM auth.accounts UNION ALL SELECT id FROM auth.service_accounts")


async def test_the_first_admin_is_made_by_hand(auth: AuthWorld, operator: Administration) -> None:
    account = await operator.create_account(BOB, admin=True)
    tokens = await auth.login("bob")
    assert auth.keys.verifier.verify(tokens.access_token).scope == "admin"
    (row,) = await auth.rows("SELECT * FROM auth.audit_log WHERE event = 'role.given'")
    assert (row.account_id, row.actor_id, row.details) == (account.id, None, {"role": "admin"})
    assert row.user_agent.startswith("gatehouse command, ")
    with pytest.raises(LastAdmin):
        await operator.disable_account("bob")


async def test_roles_are_given_and_taken_by_hand(auth: AuthWorld, operator: Administration) -> None:
    await operator.create_account(BOB)
    await operator.give_role("bob", "admin")
    tokens = await auth.login("bob")
    assert auth.keys.verifier.verify(tokens.access_token).scope == "admin"
    with pytest.raises(LastAdmin):
        await operator.take_role("bob", "admin")
    await operator.create_account(RegisterRequest(email="ann@example.com", password=PASSWORD), admin=True)
    assert await operator.take_role("bob", "admin") == 1
    with pytest.raises(UnknownAccount):
        await operator.give_role("nobody", "admin")
    with pytest.raises(ValidationFailed):
        await operator.give_role("bob", "emperor")


async def test_disabling_an_account_ends_its_sessions_and_is_told(
    auth: AuthWorld, operator: Administration
) -> None:
    await operator.create_account(BOB)
    sessions = [await auth.login("bob") for _ in range(2)]
    assert await operator.disable_account("Bob@Example.com") == 2
    for tokens in sessions:
        with pytest.raises(SessionEnded):
            await auth.sessions.refresh(RefreshRequest(refresh_token=tokens.refresh_token), FROM_CLIENT)
    await eventually(lambda: auth.bus.names().count("auth.session.revoked") == 1)
    await eventually(lambda: "auth.account.disabled" in auth.bus.names())
    assert await operator.disable_account("bob") == 0


async def test_changes_of_keys_are_written_down_with_who_made_them(
    auth: AuthWorld, operator: Administration
) -> None:
    by_itself = {row.id for row in await auth.rows("SELECT id FROM auth.audit_log")}
    signing = (await operator.rotate_keys(at_once=True)).kid
    assert not (await operator.rotate_keys(at_once=False)).done
    await operator.revoke_key(signing)
    rows = [row for row in await auth.rows("SELECT * FROM auth.audit_log") if row.id not in by_itself]
    assert {row.event for row in rows} == {
        "keys.created",
        "keys.rotated",
        "keys.rotation_asked",
        "keys.revoked",
    }
    assert all(row.user_agent.startswith("gatehouse command, ") for row in rows)


async def test_a_login_that_names_nobody(operator: Administration) -> None:
    with pytest.raises(UnknownAccount, match="nobody"):
        await operator.disable_account("nobody")


async def test_keys_are_listed_and_rotated(auth: AuthWorld, operator: Administration) -> None:
    (following,) = [key.kid for key in await operator.list_keys() if key.state == "next"]
    assert (await operator.rotate_keys(at_once=False)).kid == following
    assert {key.kid: key.state for key in await operator.list_keys()}[following] == "signing"
    await eventually(lambda: auth.bus.names().count("auth.keys.rotated") == 2)


async def test_a_key_is_revoked(auth: AuthWorld, operator: Administration) -> None:
    revoked = auth.keys.signing.kid
    assert (await operator.revoke_key(revoked)).took_over
    assert {key.kid: key.state for key in await operator.list_keys()}[revoked] == "revoked"
    await eventually(lambda: auth.bus.names().count("auth.keys.rotated") == 2)
