"""The audit log against a real PostgreSQL: what is written down is told too, with who, whom, when and from where."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from libs.auth.callers import Origin
from libs.domain.auth import (
    AuditEntry,
    ChangePasswordRequest,
    DeleteMeRequest,
    EmailUnverified,
    InvalidCredentials,
    UpdateMeRequest,
)
from libs.messaging import Empty
from tests.fixtures.accounts import CLIENT, PASSWORD, AuthWorld, auth_world, eventually
from tests.fixtures.database import MigratedDatabase

ANOTHER = "eight brown teapots"


def told(auth: AuthWorld) -> dict[str, AuditEntry]:
    entries = [
        AuditEntry.model_validate_json(one.body) for one in auth.bus.sent if one.name == "auth.audited"
    ]
    return {str(one.id): one for one in entries}


async def written(auth: AuthWorld) -> list[Any]:
    return await auth.rows("SELECT * FROM auth.audit_log WHERE event NOT LIKE 'keys.%' ORDER BY id")


async def live(auth: AuthWorld) -> None:
    """Everything that an account can do and suffer."""
    await auth.register()
    with pytest.raises(InvalidCredentials):
        await auth.login(password="wrong password")
    other, mine = await auth.login(), await auth.login()
    caller = auth.caller(mine)
    await auth.accounts.update_me(UpdateMeRequest(username="ann"), caller)
    change = ChangePasswordRequest(current_password=PASSWORD, new_password=ANOTHER)
    await auth.rules.password_change.change(change, caller)
    with pytest.raises(InvalidCredentials):
        await auth.rules.password_change.change(change, caller)
    await auth.departures.logout(Empty(), auth.caller(other))
    await auth.closing.delete_me(DeleteMeRequest(), caller)


async def test_every_row_is_told_as_it_is_written(auth: AuthWorld) -> None:
    await live(auth)
    rows = await written(auth)
    assert [row.event for row in rows] == [
        "account.registered",
        "login.failed",
        "session.started",
        "session.started",
        "account.updated",
        "password.changed",
        "session.ended",
        "reauthentication.failed",
        "account.deleted",
        "session.ended",
    ]
    await eventually(lambda: {str(row.id) for row in rows} <= told(auth).keys())
    for row in rows:
        assert told(auth)[str(row.id)].model_dump() == row._asdict()


async def test_it_says_who_whom_and_from_where(auth: AuthWorld) -> None:
    await live(auth)
    rows = await written(auth)
    ((account,),) = await auth.rows("SELECT id FROM auth.accounts")
    assert {row.account_id for row in rows} == {account}
    assert {(row.ip, row.user_agent) for row in rows} == {(CLIENT.ip, CLIENT.user_agent)}
    nobody = {row.event for row in rows if row.actor_id is None}
    assert nobody == {"account.registered", "login.failed", "session.started"}
    assert {row.actor_id for row in rows if row.event not in nobody} == {account}


async def test_no_secret_is_written_down(auth: AuthWorld) -> None:
    await live(auth)
    kept = str(await written(auth)) + str(await auth.rows("SELECT body FROM auth.outbox"))
    for secret in (PASSWORD, ANOTHER, "wrong password", "$argon2id"):
        assert secret not in kept


async def test_what_another_did_names_both(auth: AuthWorld) -> None:
    bob = await auth.register("bob@example.com")
    ann = await auth.register()
    await auth.closing.disable(bob.id, Origin(ip="192.0.2.9", actor_id=ann.id))
    (row,) = await auth.rows("SELECT * FROM auth.audit_log WHERE event = 'account.disabled'")
    assert (row.account_id, row.actor_id, row.ip) == (bob.id, ann.id, "192.0.2.9")


async def test_a_login_to_no_account_is_written_down_too(auth: AuthWorld) -> None:
    with pytest.raises(InvalidCredentials):
        await auth.login("nobody")
    (row,) = await written(auth)
    assert (row.event, row.account_id, row.ip) == ("login.failed", None, CLIENT.ip)


async def test_a_right_password_that_opens_nothing_yet_is_written_down_too(
    database: MigratedDatabase,
) -> None:
    async with auth_world(database.url, verified_first=True) as auth:
        account = await auth.register()
        with pytest.raises(EmailUnverified):
            await auth.login()
        row = (await written(auth))[-1]
    assert (row.event, row.account_id, row.ip) == ("login.failed", account.id, CLIENT.ip)
    assert row.details == {"reason": "email_unverified"}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE auth.audit_log SET ip = ''",
        "UPDATE auth.audit_log SET at = at - interval '400 days' WHERE event = 'login.failed'",
        "DELETE FROM auth.audit_log WHERE event = 'login.failed'",
        "TRUNCATE auth.audit_log",
        "ALTER TABLE auth.audit_log DISABLE TRIGGER ALL",
        "CREATE OR REPLACE FUNCTION auth.refuse_audit_change() RETURNS trigger LANGUAGE sql AS 'SELECT OLD'",
    ],
)
async def test_the_services_role_cannot_rewrite_it(auth: AuthWorld, statement: str) -> None:
    await live(auth)
    before = await written(auth)
    with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
        async with auth.database.transaction() as session:
            await session.execute(text(statement))
    assert await written(auth) == before
