"""Housekeeping against a real PostgreSQL."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from libs.auth import HousekeepingSettings, Sweeper
from libs.auth.callers import Origin
from libs.domain.auth import ApiKeyRef, CreateApiKeyRequest, RefreshRequest
from libs.infra.database import owner_connection
from libs.messaging import Empty
from libs.outbox import OutboxSettings
from tests.fixtures.accounts import FROM_CLIENT, AuthWorld, eventually
from tests.fixtures.database import MigratedDatabase

DAY = 86_400


@pytest.fixture
def sweeper(auth: AuthWorld) -> Sweeper:
    return Sweeper(
        auth.storage,
        HousekeepingSettings(batch=3),
        sessions=auth.session_settings,
        outbox=OutboxSettings(retention=0),
        clock=auth.clock,
    )


async def count(world: AuthWorld, what: str) -> int:
    # ruff: ignore[hardcoded-sql-expression]  # the tests below say what
    ((found,),) = await world.rows(f"SELECT count(*) FROM auth.{what}")
    return int(found)


async def age_audit(database: MigratedDatabase, *, days: int) -> None:
    """Make what was written older, which the owner of the schema alone can do."""
    async with owner_connection(database.owner_url) as connection:
        await connection.execute(text("ALTER TABLE auth.audit_log DISABLE TRIGGER USER"))
        # ruff: ignore[hardcoded-sql-expression]  # a number
        await connection.execute(text(f"UPDATE auth.audit_log SET at = at - interval '{days} days'"))
        await connection.execute(text("ALTER TABLE auth.audit_log ENABLE TRIGGER USER"))


async def test_a_sealed_successor_lives_as_long_as_the_grace(auth: AuthWorld, sweeper: Sweeper) -> None:
    await auth.register()
    tokens = await auth.login()
    await auth.sessions.refresh(RefreshRequest(refresh_token=tokens.refresh_token), FROM_CLIENT)
    await sweeper.sweep()
    assert await count(auth, "refresh_tokens WHERE successor IS NOT NULL") == 1
    auth.clock.advance(31)
    await sweeper.sweep()
    assert await count(auth, "refresh_tokens WHERE successor IS NOT NULL") == 0


async def test_spent_tokens_stay_until_they_would_have_expired(auth: AuthWorld, sweeper: Sweeper) -> None:
    await auth.register()
    tokens = await auth.login()
    for _ in range(10):
        auth.clock.advance(60)
        tokens = await auth.sessions.refresh(RefreshRequest(refresh_token=tokens.refresh_token), FROM_CLIENT)
    await sweeper.sweep()
    assert await count(auth, "refresh_tokens") == 11
    auth.clock.advance(14 * DAY - 30)
    await sweeper.sweep()
    assert await count(auth, "refresh_tokens") == 1


async def test_what_is_over_goes_after_its_time(auth: AuthWorld, sweeper: Sweeper) -> None:
    await auth.register()
    for _ in range(5):
        await auth.departures.logout(Empty(), auth.caller(await auth.login()))
    await auth.keys.rotate()
    await sweeper.sweep()
    assert (await count(auth, "sessions"), await count(auth, "signing_keys")) == (5, 3)
    auth.clock.advance(8 * DAY)
    await sweeper.sweep()
    assert (await count(auth, "sessions"), await count(auth, "signing_keys")) == (0, 2)
    assert await count(auth, "audit_log") > 0


async def test_audit_rows_go_by_age_alone(
    auth: AuthWorld, sweeper: Sweeper, database: MigratedDatabase
) -> None:
    await auth.register()
    await auth.login()
    await age_audit(database, days=4000)
    await auth.login()
    assert await count(auth, "audit_log") > 3
    await sweeper.sweep()
    assert [row.event for row in await auth.rows("SELECT event FROM auth.audit_log")] == ["session.started"]


async def test_sent_events_go_and_waiting_ones_stay(auth: AuthWorld, sweeper: Sweeper) -> None:
    await auth.register()
    await eventually(lambda: "auth.account.registered" in auth.bus.names())
    await auth.relay.stop()
    await auth.register("bob@example.com")
    auth.clock.advance(60)
    await sweeper.sweep()
    waiting = await auth.rows("SELECT name FROM auth.outbox ORDER BY name")
    assert [row.name for row in waiting] == ["auth.account.registered", "auth.audited"]
    assert await count(auth, "outbox WHERE sent_at IS NULL") == 2


async def test_what_is_left_of_a_deleted_account_goes_with_its_sessions(
    auth: AuthWorld, sweeper: Sweeper
) -> None:
    account = await auth.register()
    await auth.login()
    await auth.closing.delete(account.id, Origin())
    await auth.register("bob@example.com")
    auth.clock.advance(6 * DAY)
    await sweeper.sweep()
    assert (await count(auth, "accounts"), await count(auth, "sessions")) == (2, 1)
    auth.clock.advance(2 * DAY)
    await sweeper.sweep()
    assert (await count(auth, "accounts"), await count(auth, "sessions")) == (1, 0)


async def test_api_keys_and_secrets_go_some_days_after_their_end(auth: AuthWorld, sweeper: Sweeper) -> None:
    await auth.register()
    caller = auth.caller(await auth.login())
    request = CreateApiKeyRequest(name="backup", expires_in=DAY)
    revoked = await auth.rules.api_keys.create(request, caller)
    await auth.rules.api_keys.create(request, caller)
    await auth.rules.api_keys.create(CreateApiKeyRequest(name="kept"), caller)
    await auth.rules.api_keys.revoke(ApiKeyRef(id=revoked.id), caller)
    auth.clock.advance(7 * DAY + 60)
    await sweeper.sweep()
    assert await count(auth, "api_keys") == 2
    auth.clock.advance(DAY)
    await sweeper.sweep()
    assert [row.name for row in await auth.rows("SELECT name FROM auth.api_keys")] == ["kept"]
