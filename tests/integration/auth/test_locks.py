"""The order in which transactions lock what belongs to an account, against a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import pytest

from libs.auth.callers import Origin, account_of
from libs.auth.machines.secrets import digest
from libs.auth.repository.machine_rows import ApiKeyRow
from libs.domain.auth import ADMIN, CreateApiKeyRequest, RefreshRequest, SessionsRevoked
from libs.messaging import new_message_id
from tests.fixtures.accounts import FROM_CLIENT, AuthWorld, eventually

NOBODY = Origin()


async def waits_for_a_lock(world: AuthWorld) -> bool:
    """Whether a statement in this database waits for another transaction."""
    return bool(
        await world.rows(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
    )


async def an_account_with_a_key(world: AuthWorld) -> UUID:
    """Who may administer, as a second one, and has a session and an API key."""
    first = await world.register("bob@example.com")
    account = await world.register()
    async with world.storage.transaction() as stored:
        for one in (first, account):
            await world.rules.roles.give(stored, one.id, ADMIN, NOBODY)
    await world.rules.api_keys.create(
        CreateApiKeyRequest(name="backup"), world.caller(await world.login("ann@example.com"))
    )
    return account.id


async def take_role(world: AuthWorld, account_id: UUID) -> object:
    async with world.storage.transaction() as stored:
        return await world.rules.roles.take(stored, account_id, ADMIN, NOBODY)


async def delete(world: AuthWorld, account_id: UUID) -> object:
    return await world.closing.delete(account_id, NOBODY)


async def disable(world: AuthWorld, account_id: UUID) -> object:
    return await world.closing.disable(account_id, NOBODY)


@pytest.mark.parametrize("change", [delete, disable, take_role])
async def test_whoever_holds_the_account_is_waited_for_with_nothing_else_held(
    auth: AuthWorld, change: Callable[[AuthWorld, UUID], Awaitable[object]]
) -> None:
    account_id = await an_account_with_a_key(auth)
    async with auth.storage.transaction() as stored:
        await stored.accounts.lock(account_id)
        changing = asyncio.ensure_future(change(auth, account_id))
        await eventually(lambda: waits_for_a_lock(auth))
        assert not await stored.roles.is_last(account_id, ADMIN)
        await auth.rules.endings.api_keys(stored, account_id, NOBODY)
        await auth.rules.endings.all_of(stored, account_id, "ended_by_admin", NOBODY)
    assert await changing is not None


async def test_a_key_that_is_made_while_its_account_is_being_deleted_is_told_as_revoked(
    auth: AuthWorld,
) -> None:
    await auth.register()
    account_id = account_of(auth.caller(await auth.login()))
    now = auth.clock.now()
    key = ApiKeyRow(
        id=UUID(new_message_id()),
        account_id=account_id,
        name="late",
        scope="",
        hash=digest("secret"),
        created_at=now,
        expires_at=now + timedelta(days=1),
    )
    async with auth.storage.transaction() as stored:
        await stored.machines.count_keys(account_id, now)
        deleting = asyncio.ensure_future(delete(auth, account_id))
        await eventually(lambda: waits_for_a_lock(auth))
        await stored.machines.add_key(key)
    assert await deleting
    told = [
        SessionsRevoked.model_validate_json(one.body)
        for one in auth.bus.sent
        if one.name == "auth.session.revoked"
    ]
    assert key.id in {id_ for one in told for id_ in one.session_ids}
    assert await auth.rows("SELECT 1 FROM auth.api_keys") == []


async def test_sessions_are_locked_in_the_order_of_their_ids(auth: AuthWorld) -> None:
    account = await auth.register()
    first, second = await auth.login(), await auth.login()
    # Its row lies behind the other one from now on.
    await auth.sessions.refresh(RefreshRequest(refresh_token=first.refresh_token), FROM_CLIENT)

    async def end_all() -> int:
        async with auth.storage.transaction() as stored:
            return (await auth.rules.endings.all_of(stored, account.id, "logout_all", NOBODY)).count

    async with auth.storage.transaction() as stored:
        await stored.sessions.lock(first.session_id)
        ending = asyncio.ensure_future(end_all())
        await eventually(lambda: waits_for_a_lock(auth))
        await auth.rules.endings.one(stored, second.session_id, "logout", NOBODY)
    assert await ending == 1
