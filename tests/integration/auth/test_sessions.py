"""Sessions against a real PostgreSQL: how they go on, are checked, and end."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import event

from libs.auth import SessionSettings
from libs.auth.callers import Origin
from libs.domain.auth import (
    REVOCATIONS_PAGE,
    RefreshInvalid,
    RefreshRequest,
    RevocationsRequest,
    SessionEnded,
    SessionsRevoked,
    TokenInvalid,
    TokenPair,
    ValidateRequest,
)
from libs.messaging import ANONYMOUS, Empty
from tests.fixtures.accounts import FROM_CLIENT, AuthWorld, auth_world, eventually
from tests.fixtures.database import MigratedDatabase


async def refresh(world: AuthWorld, token: str) -> TokenPair:
    return await world.sessions.refresh(RefreshRequest(refresh_token=token), FROM_CLIENT)


async def live_tokens(world: AuthWorld) -> int:
    return len(await world.rows("SELECT 1 FROM auth.refresh_tokens WHERE used_at IS NULL"))


async def end_reasons(world: AuthWorld) -> list[str | None]:
    return [row.end_reason for row in await world.rows("SELECT end_reason FROM auth.sessions ORDER BY id")]


async def signed_in(world: AuthWorld) -> TokenPair:
    await world.register()
    return await world.login()


class TestRefresh:
    async def test_each_use_gives_new_tokens_of_the_same_session(self, auth: AuthWorld) -> None:
        first = await signed_in(auth)
        auth.clock.advance(300)
        second = await refresh(auth, first.refresh_token)
        assert second.session_id == first.session_id
        assert second.refresh_token != first.refresh_token
        assert auth.keys.verifier.verify(second.access_token).sid == str(first.session_id)
        assert await live_tokens(auth) == 1

    async def test_a_session_keeps_the_moment_of_its_sign_in(self, auth: AuthWorld) -> None:
        first = await signed_in(auth)
        auth.clock.advance(300)
        second = await refresh(auth, first.refresh_token)
        was, is_now = (auth.keys.verifier.verify(one.access_token) for one in (first, second))
        assert (is_now.auth_time, is_now.amr) == (was.auth_time, was.amr)
        assert is_now.iat == was.iat + 300

    async def test_is_one_statement(self, auth: AuthWorld) -> None:
        first = await signed_in(auth)
        statements: list[str] = []

        def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if "refresh_tokens" in statement:  # the relay looks into the outbox meanwhile
                statements.append(statement)

        for pool in (auth.database._statements, auth.database._transactions):
            event.listen(pool.engine.sync_engine, "before_cursor_execute", count)
        await refresh(auth, first.refresh_token)
        assert len(statements) == 1

    async def test_only_hashes_are_stored(self, auth: AuthWorld) -> None:
        first = await signed_in(auth)
        second = await refresh(auth, first.refresh_token)
        stored = str(await auth.rows("SELECT refresh_tokens.* FROM auth.refresh_tokens"))
        assert first.refresh_token not in stored
        assert second.refresh_token not in stored

    async def test_an_unknown_token_is_refused(self, auth: AuthWorld) -> None:
        with pytest.raises(RefreshInvalid):
            await refresh(auth, "x" * 43)

    async def test_a_token_that_waited_too_long_is_refused(self, auth: AuthWorld) -> None:
        first = await signed_in(auth)
        auth.clock.advance(first.refresh_expires_in + 1)
        with pytest.raises(RefreshInvalid):
            await refresh(auth, first.refresh_token)
        assert await end_reasons(auth) == [None]

    async def test_a_session_ends_at_its_absolute_age_however_much_it_is_used(
        self, database: MigratedDatabase
    ) -> None:
        settings = SessionSettings(idle_seconds=1000, absolute_seconds=2500)
        async with auth_world(database.url, sessions=settings) as world:
            tokens = await signed_in(world)
            waits = []
            for _ in range(3):
                world.clock.advance(800)
                tokens = await refresh(world, tokens.refresh_token)
                waits.append(tokens.refresh_expires_in)
            assert waits == [1000, 900, 100]
            assert tokens.expires_in <= 100
            world.clock.advance(101)
            with pytest.raises(RefreshInvalid):
                await refresh(world, tokens.refresh_token)

    async def test_the_session_of_a_shut_account_has_ended(self, auth: AuthWorld) -> None:
        first = await signed_in(auth)
        await auth.closing.disable_by_login("ann@example.com", Origin())
        with pytest.raises(SessionEnded):
            await refresh(auth, first.refresh_token)


class TestFamilies:
    async def test_the_token_just_used_gives_the_same_successor_again(self, auth: AuthWorld) -> None:
        first = await signed_in(auth)
        second = await refresh(auth, first.refresh_token)
        auth.clock.advance(30)
        again = await refresh(auth, first.refresh_token)
        assert again.refresh_token == second.refresh_token
        assert again.access_token == second.access_token
        assert again.expires_in == second.expires_in - 30
        assert await live_tokens(auth) == 1
        assert (await refresh(auth, again.refresh_token)).refresh_token

    async def test_a_lost_answer_leaves_the_client_signed_in(self, auth: AuthWorld) -> None:
        first = await signed_in(auth)
        lost = await refresh(auth, first.refresh_token)
        auth.clock.advance(3000)
        again = await refresh(auth, first.refresh_token)
        assert again.refresh_token != lost.refresh_token
        assert await live_tokens(auth) == 1
        assert (await refresh(auth, again.refresh_token)).refresh_token
        assert await end_reasons(auth) == [None]

    async def test_tabs_that_lost_the_answer_together_converge(self, auth: AuthWorld) -> None:
        first = await signed_in(auth)
        await refresh(auth, first.refresh_token)
        auth.clock.advance(600)
        tabs = await asyncio.gather(*(refresh(auth, first.refresh_token) for _ in range(10)))
        assert len({(one.access_token, one.refresh_token) for one in tabs}) == 1
        assert await live_tokens(auth) == 1

    async def test_the_answer_that_never_arrived_counts_as_spent(self, auth: AuthWorld) -> None:
        first = await signed_in(auth)
        lost = await refresh(auth, first.refresh_token)
        auth.clock.advance(600)
        await refresh(auth, first.refresh_token)
        with pytest.raises(RefreshInvalid):
            await refresh(auth, lost.refresh_token)
        assert await end_reasons(auth) == ["refresh_reused"]

    async def test_an_answer_is_not_lost_for_ever(self, auth: AuthWorld) -> None:
        first = await signed_in(auth)
        await refresh(auth, first.refresh_token)
        auth.clock.advance(3601)
        with pytest.raises(RefreshInvalid):
            await refresh(auth, first.refresh_token)
        assert await end_reasons(auth) == ["refresh_reused"]

    async def test_no_answer_is_ever_lost_where_the_setting_says_so(self, database: MigratedDatabase) -> None:
        async with auth_world(database.url, sessions=SessionSettings(lost_answer_seconds=0)) as world:
            first = await signed_in(world)
            await refresh(world, first.refresh_token)
            world.clock.advance(31)
            with pytest.raises(RefreshInvalid):
                await refresh(world, first.refresh_token)

    async def test_a_thief_after_the_owner_ends_the_session(self, auth: AuthWorld) -> None:
        stolen = await signed_in(auth)
        owner = await refresh(auth, stolen.refresh_token)
        owner = await refresh(auth, owner.refresh_token)
        with pytest.raises(RefreshInvalid):  # even within the grace: it is not the immediate predecessor
            await refresh(auth, stolen.refresh_token)
        with pytest.raises(SessionEnded):
            await refresh(auth, owner.refresh_token)
        await eventually(lambda: "auth.session.revoked" in auth.bus.names())
        (message,) = [one for one in auth.bus.sent if one.name == "auth.session.revoked"]
        told = SessionsRevoked.model_validate_json(message.body)
        assert (told.session_ids, told.reason) == ((stolen.session_id,), "refresh_reused")
        audit = await auth.rows("SELECT details FROM auth.audit_log WHERE event = 'session.ended'")
        assert [row.details for row in audit] == [{"reason": "refresh_reused"}]

    async def test_a_thief_before_the_owner_ends_the_session(self, auth: AuthWorld) -> None:
        owner = await signed_in(auth)
        thief = await refresh(auth, owner.refresh_token)
        thief = await refresh(auth, thief.refresh_token)
        auth.clock.advance(60)
        with pytest.raises(RefreshInvalid):
            await refresh(auth, owner.refresh_token)
        with pytest.raises(SessionEnded):
            await refresh(auth, thief.refresh_token)

    async def test_parallel_refreshes_over_two_processes_converge(self, database: MigratedDatabase) -> None:
        """Every caller gets the same working pair, there is never a second live token, and nobody is signed out."""
        async with auth_world(database.url) as one, auth_world(database.url, clock=one.clock) as two:
            tokens = await signed_in(one)
            for _ in range(20):
                callers = (one, two) * 10
                pairs = await asyncio.gather(*(refresh(world, tokens.refresh_token) for world in callers))
                assert len({(pair.access_token, pair.refresh_token) for pair in pairs}) == 1
                assert await live_tokens(one) == 1
                tokens = pairs[0]
                one.clock.advance(5)
            assert await end_reasons(one) == [None]

    async def test_a_session_that_ends_while_it_is_refreshed_has_ended(self, auth: AuthWorld) -> None:
        tokens = await signed_in(auth)
        caller = auth.caller(tokens)
        outcomes = await asyncio.gather(
            auth.departures.logout(Empty(), caller),
            *(refresh(auth, tokens.refresh_token) for _ in range(10)),
            return_exceptions=True,
        )
        newest = next(
            (one.refresh_token for one in outcomes if isinstance(one, TokenPair)), tokens.refresh_token
        )
        with pytest.raises(SessionEnded):
            await refresh(auth, newest)


class TestLogout:
    async def test_returns_when_the_broker_has_the_revocation(self, auth: AuthWorld) -> None:
        tokens = await signed_in(auth)
        await auth.departures.logout(Empty(), auth.caller(tokens))
        assert "auth.session.revoked" in auth.bus.names()
        (message,) = [one for one in auth.bus.sent if one.name == "auth.session.revoked"]
        told = SessionsRevoked.model_validate_json(message.body)
        assert (told.session_ids, told.reason) == ((tokens.session_id,), "logout")
        assert told.until >= int(auth.clock.now().timestamp()) + 600

    async def test_waits_a_second_at_most_for_a_broker_that_is_away(self, database: MigratedDatabase) -> None:
        async with auth_world(database.url, relayed=False) as world:
            tokens = await signed_in(world)
            async with asyncio.timeout(10):  # a call's own time
                await world.departures.logout(Empty(), world.caller(tokens))
            assert await end_reasons(world) == ["logout"]

    async def test_twice_is_once(self, auth: AuthWorld) -> None:
        caller = auth.caller(await signed_in(auth))
        await auth.departures.logout(Empty(), caller)
        await auth.departures.logout(Empty(), caller)
        assert auth.bus.names().count("auth.session.revoked") == 1

    async def test_ends_no_other_session(self, auth: AuthWorld) -> None:
        leaving = await signed_in(auth)
        staying = await auth.login()
        await auth.departures.logout(Empty(), auth.caller(leaving))
        assert (await refresh(auth, staying.refresh_token)).refresh_token

    async def test_nobody_cannot_leave(self, auth: AuthWorld) -> None:
        with pytest.raises(TokenInvalid):
            await auth.departures.logout(Empty(), ANONYMOUS)


class TestValidate:
    async def test_a_good_token_gives_its_claims(self, auth: AuthWorld) -> None:
        tokens = await signed_in(auth)
        found = await auth.sessions.validate(ValidateRequest(access_token=tokens.access_token), ANONYMOUS)
        assert found.active
        assert found.claims == auth.keys.verifier.verify(tokens.access_token)

    async def test_a_foreign_token_an_old_one_and_one_of_an_ended_session(self, auth: AuthWorld) -> None:
        tokens = await signed_in(auth)
        ended = await auth.login()
        await auth.departures.logout(Empty(), auth.caller(ended))
        reasons = []
        for token, later in (("a.b.c", 0), (ended.access_token, 0), (tokens.access_token, 700)):
            auth.clock.advance(later)
            found = await auth.sessions.validate(ValidateRequest(access_token=token), ANONYMOUS)
            assert (found.active, found.claims) == (False, None)
            reasons.append(found.reason)
        assert reasons == ["auth.token_invalid", "auth.session_ended", "auth.token_expired"]


class TestRevocations:
    async def test_those_whose_tokens_may_be_alive(self, auth: AuthWorld) -> None:
        await auth.register()
        for _ in range(2):
            await auth.departures.logout(Empty(), auth.caller(await auth.login()))
            auth.clock.advance(400)
        await auth.login()
        found = await auth.sessions.revocations(RevocationsRequest(), ANONYMOUS)
        (revoked,) = found.sessions
        assert revoked.until == int(auth.clock.now().timestamp()) - 400 + 660
        assert found.next is None

    async def test_many_come_in_pages(self, auth: AuthWorld) -> None:
        account = await auth.register()
        await auth.rows(
            "INSERT INTO auth.sessions (id, account_id, authenticated_at, methods, created_at, last_seen_at,"
            " expires_at, ended_at) SELECT gen_random_uuid(), :account, :now, '{}', :now, :now, :now, :now"
            " FROM generate_series(1, :sessions) RETURNING id",
            account=account.id,
            now=auth.clock.now(),
            sessions=REVOCATIONS_PAGE + 1,
        )
        first = await auth.sessions.revocations(RevocationsRequest(), ANONYMOUS)
        assert len(first.sessions) == REVOCATIONS_PAGE
        rest = await auth.sessions.revocations(RevocationsRequest(after=first.next), ANONYMOUS)
        found = [one.session_id for one in (*first.sessions, *rest.sessions)]
        assert len(set(found)) == REVOCATIONS_PAGE + 1
        assert found == sorted(found)
        assert rest.next is None
