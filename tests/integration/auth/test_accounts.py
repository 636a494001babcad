"""Accounts against a real PostgreSQL."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import event

from libs.auth import PasswordSettings
from libs.auth.callers import Origin
from libs.domain.auth import (
    AccountExists,
    AccountRegistered,
    AuditEntry,
    InvalidCredentials,
    RegisterRequest,
    SessionEnded,
    TokenInvalid,
    TokenPair,
)
from libs.messaging import ANONYMOUS, Caller, Empty, Identity, Overloaded, ValidationFailed
from tests.fixtures.accounts import CLIENT, FROM_CLIENT, PASSWORD, AuthWorld, auth_world, eventually
from tests.fixtures.database import MigratedDatabase


class TestRegister:
    async def test_an_account_comes_back_as_its_owner_sees_it(self, auth: AuthWorld) -> None:
        account = await auth.register("Ann@Example.com", "ann")
        assert (account.email, account.username, account.email_verified) == ("Ann@Example.com", "ann", False)
        assert account.created_at == auth.clock.now()
        assert account.id.version == 7

    async def test_the_event_leaves_through_the_outbox(self, auth: AuthWorld) -> None:
        account = await auth.register()
        await eventually(lambda: "auth.account.registered" in auth.bus.names())
        (message,) = [one for one in auth.bus.sent if one.name == "auth.account.registered"]
        assert AccountRegistered.model_validate_json(message.body).account_id == account.id
        rows = await auth.rows("SELECT sent_at FROM auth.outbox WHERE name = 'auth.account.registered'")
        assert len(rows) == 1

    async def test_a_domain_is_one_in_unicode_and_in_ascii(self, auth: AuthWorld) -> None:
        await auth.register("a@пример.example")
        with pytest.raises(AccountExists):
            await auth.register("a@xn--e1afmkfd.example")
        await auth.login("A@xn--e1afmkfd.example")

    @pytest.mark.parametrize("email", ["ann@example.com", "ANN@EXAMPLE.COM", "\uff41nn@example.com"])
    async def test_an_address_names_one_account_however_it_is_written(
        self, auth: AuthWorld, email: str
    ) -> None:
        await auth.register("ann@example.com")
        with pytest.raises(AccountExists):
            await auth.register(email)

    async def test_a_username_names_one_account(self, auth: AuthWorld) -> None:
        await auth.register("ann@example.com", "ann")
        with pytest.raises(AccountExists):
            await auth.register("bob@example.com", "ANN")
        assert len(await auth.rows("SELECT 1 FROM auth.accounts")) == 1

    async def test_of_many_registrations_at_once_one_wins(self, auth: AuthWorld) -> None:
        outcomes = await asyncio.gather(*(auth.register() for _ in range(8)), return_exceptions=True)
        assert sum(not isinstance(one, BaseException) for one in outcomes) == 1
        assert sum(isinstance(one, AccountExists) for one in outcomes) == 7

    async def test_a_refused_registration_leaves_no_trace(self, auth: AuthWorld) -> None:
        await auth.register()
        with pytest.raises(AccountExists):
            await auth.register()
        events = await auth.rows("SELECT 1 FROM auth.outbox WHERE name = 'auth.account.registered'")
        assert len(events) == 1

    @pytest.mark.parametrize("password", ["password1", "PASSWORD1", "\uff50assword1"])
    async def test_a_common_password_is_refused_with_the_reason(self, auth: AuthWorld, password: str) -> None:
        with pytest.raises(ValidationFailed) as refused:
            await auth.accounts.register(
                RegisterRequest(email="ann@example.com", password=password), FROM_CLIENT
            )
        (error,) = refused.value.errors
        assert error.field == "password"
        assert "most common" in error.message

    async def test_the_password_is_kept_as_argon2id(self, auth: AuthWorld) -> None:
        await auth.register()
        ((kept,),) = await auth.rows("SELECT hash FROM auth.credentials")
        assert kept.startswith("$argon2id$v=19$m=7168,t=1,p=1$")


class TestLogin:
    async def test_by_address_and_by_username(self, auth: AuthWorld) -> None:
        await auth.register("ann@example.com", "ann")
        for login in ("ann@example.com", "Ann@Example.COM", "ann", "ANN"):
            tokens = await auth.login(login)
            assert tokens.token_type == "Bearer"

    async def test_a_password_does_not_age(self, auth: AuthWorld) -> None:
        account = await auth.register()
        auth.clock.advance(10 * 365 * 86_400)
        tokens = await auth.login()
        assert auth.keys.verifier.verify(tokens.access_token).sub == str(account.id)

    async def test_the_access_token_says_who_and_for_how_long(self, auth: AuthWorld) -> None:
        account = await auth.register()
        tokens = await auth.login()
        claims = auth.keys.verifier.verify(tokens.access_token)
        now = int(auth.clock.now().timestamp())
        assert (claims.sub, claims.sid) == (str(account.id), str(tokens.session_id))
        assert (claims.iss, claims.aud, claims.client_id) == ("gatehouse", "gatehouse", "gatehouse")
        assert (claims.auth_time, claims.amr) == (now, ("pwd",))
        assert 570 <= tokens.expires_in <= 600
        assert claims.exp == now + tokens.expires_in

    @pytest.mark.parametrize(
        ("login", "password"),
        [
            ("ann@example.com", "wrong password"),
            ("bob@example.com", PASSWORD),
            ("nobody", PASSWORD),
            ("a\0nn", PASSWORD),
        ],
    )
    async def test_whatever_is_wrong_the_answer_is_the_same(
        self, auth: AuthWorld, login: str, password: str
    ) -> None:
        await auth.register()
        with pytest.raises(InvalidCredentials) as refused:
            await auth.login(login, password)
        assert refused.value.problem() == InvalidCredentials().problem()

    async def test_an_unknown_account_costs_a_hash_too(self, auth: AuthWorld) -> None:
        computed = 0
        run = auth.pool.run

        async def counting(*args: object) -> object:
            nonlocal computed
            computed += 1
            return await run(*args)  # type: ignore[arg-type]  # passed on as it came

        auth.pool.run = counting  # type: ignore[method-assign,assignment]  # counts, and changes nothing
        with pytest.raises(InvalidCredentials):
            await auth.login("nobody")
        assert computed == 1

    async def test_a_disabled_account_is_told_nothing(self, auth: AuthWorld) -> None:
        await auth.register()
        await auth.closing.disable_by_login("ann@example.com", Origin())
        with pytest.raises(InvalidCredentials):
            await auth.login()

    async def test_a_password_composed_otherwise_is_the_same(self, auth: AuthWorld) -> None:
        await auth.accounts.register(
            RegisterRequest(email="ann@example.com", password="caf\u00e9 seven"), FROM_CLIENT
        )
        tokens = await auth.login(password="cafe\u0301 seven")
        assert tokens.refresh_token

    async def test_is_two_statements(self, auth: AuthWorld) -> None:
        await auth.register()
        statements: list[str] = []

        def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if "auth.accounts" in statement:  # the relay looks into the outbox meanwhile
                statements.append(statement)

        for pool in (auth.database._statements, auth.database._transactions):
            event.listen(pool.engine.sync_engine, "before_cursor_execute", count)
        await auth.login()
        assert [one.split()[0] for one in statements] == ["SELECT", "WITH"]

    async def test_a_session_is_told_and_written_down_as_it_starts(self, auth: AuthWorld) -> None:
        account = await auth.register()
        tokens = await auth.login()
        ((row,),) = await auth.rows("SELECT id FROM auth.audit_log WHERE event = 'session.started'")

        def told() -> list[AuditEntry]:
            audited = [one for one in auth.bus.sent if one.name == "auth.audited"]
            entries = [AuditEntry.model_validate_json(one.body) for one in audited]
            return [one for one in entries if one.event == "session.started"]

        await eventually(lambda: len(told()) == 1)
        (entry,) = told()
        assert (entry.id, entry.at) == (row, auth.clock.now())
        assert (entry.account_id, entry.session_id) == (account.id, tokens.session_id)
        assert (entry.ip, entry.user_agent) == (CLIENT.ip, CLIENT.user_agent)

    async def test_parameters_that_changed_rehash_at_login(self, database: MigratedDatabase) -> None:
        async with auth_world(database.url) as before:
            await before.register()
        async with auth_world(database.url, passwords=PasswordSettings(memory=8192, passes=1)) as after:
            await after.login()
            ((kept,),) = await after.rows("SELECT hash FROM auth.credentials")
            assert "m=8192" in kept
            await after.login()

    async def test_a_full_hash_pool_refuses_before_it_hashes(self, database: MigratedDatabase) -> None:
        settings = PasswordSettings(memory=7168, passes=1, threads=1, max_wait=0.5)
        async with auth_world(database.url, passwords=settings) as world:
            await world.register()
            let_go = threading.Event()
            busy = asyncio.create_task(world.pool.run(lambda: let_go.wait(30)))
            await asyncio.sleep(0)
            with pytest.raises(Overloaded):
                await world.login()
            let_go.set()
            await busy
            assert (await world.login()).refresh_token

    async def test_sign_ins_and_failures_are_written_down(self, auth: AuthWorld) -> None:
        account = await auth.register()
        await auth.login()
        with pytest.raises(InvalidCredentials):
            await auth.login(password="wrong password")
        rows = await auth.rows(
            "SELECT event, account_id, ip, user_agent FROM auth.audit_log WHERE event NOT LIKE 'keys.%' ORDER BY id"
        )
        assert [row.event for row in rows] == ["account.registered", "session.started", "login.failed"]
        assert {(row.account_id, row.ip, row.user_agent) for row in rows} == {
            (account.id, "192.0.2.7", "tests")
        }


class TestMe:
    async def test_the_account_that_is_signed_in(self, auth: AuthWorld) -> None:
        account = await auth.register()
        caller = auth.caller(await auth.login())
        assert await auth.accounts.me(Empty(), caller) == account

    @pytest.mark.parametrize("caller", [ANONYMOUS, Caller(identity=Identity("x", "y"))])
    async def test_nobody_is_signed_in(self, auth: AuthWorld, caller: Caller) -> None:
        with pytest.raises(TokenInvalid):
            await auth.accounts.me(Empty(), caller)

    async def test_a_shut_account_is_nobody(self, auth: AuthWorld) -> None:
        await auth.register()
        caller = auth.caller(await auth.login())
        await auth.closing.disable_by_login("ann@example.com", Origin())
        with pytest.raises(SessionEnded):
            await auth.accounts.me(Empty(), caller)


class TestWhatChangesWhileThePasswordIsChecked:
    """Each change commits after the account was read, and before its session starts."""

    async def signing_in(self, auth: AuthWorld, change: Callable[[], Awaitable[object]]) -> TokenPair:
        run = auth.pool.run

        async def changing(*args: object) -> object:
            found: object = await run(*args)  # type: ignore[arg-type]  # passed on as it came
            auth.pool.run = run  # type: ignore[method-assign]  # once
            await change()
            return found

        auth.pool.run = changing  # type: ignore[method-assign,assignment]  # adds the change, and nothing else
        return await auth.login()

    async def test_a_role_that_is_given_is_in_the_token(self, auth: AuthWorld) -> None:
        account = await auth.register()

        async def give() -> None:
            async with auth.storage.transaction() as stored:
                await auth.rules.roles.give(stored, account.id, "editor", Origin())

        tokens = await self.signing_in(auth, give)
        assert "notes:write" in auth.keys.verifier.verify(tokens.access_token).scope

    async def test_a_role_that_is_taken_is_not(self, auth: AuthWorld) -> None:
        account = await auth.register()
        async with auth.storage.transaction() as stored:
            await auth.rules.roles.give(stored, account.id, "editor", Origin())

        async def take() -> None:
            async with auth.storage.transaction() as stored:
                await auth.rules.roles.take(stored, account.id, "editor", Origin())

        tokens = await self.signing_in(auth, take)
        assert "notes" not in auth.keys.verifier.verify(tokens.access_token).scope

    async def test_a_role_that_is_just_being_taken_is_waited_for(self, auth: AuthWorld) -> None:
        account = await auth.register()
        async with auth.storage.transaction() as stored:
            await auth.rules.roles.give(stored, account.id, "editor", Origin())
        async with auth.storage.transaction() as stored:
            await auth.rules.roles.take(stored, account.id, "editor", Origin())
            late = asyncio.create_task(auth.login())
            waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            await eventually(lambda: _any(auth.rows(waiting)))
        tokens = await late
        assert "notes" not in auth.keys.verifier.verify(tokens.access_token).scope

    async def test_an_account_that_is_shut_does_not_open(self, auth: AuthWorld) -> None:
        await auth.register()
        with pytest.raises(InvalidCredentials):
            await self.signing_in(auth, lambda: auth.closing.disable_by_login("ann@example.com", Origin()))
        assert await auth.rows("SELECT 1 FROM auth.sessions") == []
        started = "SELECT 1 FROM auth.audit_log WHERE event = 'session.started'"
        assert await auth.rows(started) == []

    async def test_neither_does_one_with_another_password(self, auth: AuthWorld) -> None:
        account = await auth.register()

        async def change() -> None:
            async with auth.storage.transaction() as stored:
                ((old,),) = await auth.rows("SELECT hash FROM auth.credentials")
                assert await stored.accounts.change_password(
                    account.id, auth.clock.now(), old=old, new="another"
                )

        with pytest.raises(InvalidCredentials):
            await self.signing_in(auth, change)
        assert await auth.rows("SELECT 1 FROM auth.sessions") == []

    async def test_a_name_that_changes_keeps_nobody_out(self, auth: AuthWorld) -> None:
        account = await auth.register()

        async def rename() -> None:
            auth.clock.advance(1)
            async with auth.storage.transaction() as stored:
                await stored.accounts.update(account.id, auth.clock.now(), {"username": "anna"})

        assert (await self.signing_in(auth, rename)).refresh_token


async def _any(rows: Awaitable[list[object]]) -> bool:
    return bool(await rows)
