"""Seeing one's sessions and ending them, against a real PostgreSQL."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from libs.domain.auth import (
    REVOKED_AT_ONCE,
    RefreshRequest,
    RevocationsRequest,
    SessionEnded,
    SessionList,
    SessionNotFound,
    SessionRef,
    SessionsRequest,
    SessionsRevoked,
    SignInTooOld,
    TokenInvalid,
    TokenPair,
)
from libs.messaging import ANONYMOUS, Caller, Empty
from tests.fixtures.accounts import CLIENT, FROM_CLIENT, AuthWorld

TOO_LONG_AGO = 901


async def refresh(auth: AuthWorld, tokens: TokenPair) -> TokenPair:
    return await auth.sessions.refresh(RefreshRequest(refresh_token=tokens.refresh_token), FROM_CLIENT)


async def goes_on(auth: AuthWorld, tokens: TokenPair) -> bool:
    try:
        await refresh(auth, tokens)
    except SessionEnded:
        return False
    return True


async def sessions(auth: AuthWorld, tokens: TokenPair, **page: object) -> SessionList:
    request = SessionsRequest.model_validate(page)
    return await auth.departures.sessions(request, auth.caller(tokens))


def revoked(auth: AuthWorld) -> list[SessionsRevoked]:
    """What gateways were told."""
    told = [one for one in auth.bus.sent if one.name == "auth.session.revoked"]
    return [SessionsRevoked.model_validate_json(one.body) for one in told]


async def end(auth: AuthWorld, session: uuid.UUID, caller: Caller) -> None:
    await auth.departures.end_session(SessionRef(id=session), caller)


class TestList:
    async def test_newest_first_with_device_address_and_times(self, auth: AuthWorld) -> None:
        await auth.register()
        began = auth.clock.now()
        first = await auth.login()
        auth.clock.advance(60)
        second = await auth.login()
        auth.clock.advance(60)
        await refresh(auth, first)
        found = (await sessions(auth, second)).sessions
        assert [one.id for one in found] == [second.session_id, first.session_id]
        assert [one.current for one in found] == [True, False]
        assert {(one.device, one.ip) for one in found} == {(CLIENT.user_agent, CLIENT.ip)}
        assert [(one.created_at - began).seconds for one in found] == [60, 0]
        assert [(one.last_seen_at - began).seconds for one in found] == [60, 120]

    async def test_only_those_that_go_on_and_are_ones_own(self, auth: AuthWorld) -> None:
        await auth.register()
        await auth.register("bob@example.com")
        idle = await auth.login()
        auth.clock.advance(idle.refresh_expires_in + 1)
        await auth.login("bob@example.com")
        await auth.departures.logout(Empty(), auth.caller(await auth.login()))
        tokens = await auth.login()
        assert [one.id for one in (await sessions(auth, tokens)).sessions] == [tokens.session_id]

    async def test_many_come_in_pages(self, auth: AuthWorld) -> None:
        await auth.register()
        ids = [(await auth.login()).session_id for _ in range(4)]
        tokens = await auth.login()
        found: list[uuid.UUID] = []
        page = await sessions(auth, tokens, limit=2)
        while True:
            found += [one.id for one in page.sessions]
            if page.next is None:
                break
            page = await sessions(auth, tokens, limit=2, after=page.next)
        assert found == [tokens.session_id, *reversed(ids)]

    async def test_nobody_has_none(self, auth: AuthWorld) -> None:
        with pytest.raises(TokenInvalid):
            await auth.departures.sessions(SessionsRequest(), ANONYMOUS)


class TestLogoutByToken:
    async def by(self, auth: AuthWorld, token: str) -> None:
        await auth.departures.logout_by_token(RefreshRequest(refresh_token=token), FROM_CLIENT)

    async def test_ends_its_session_and_no_other(self, auth: AuthWorld) -> None:
        await auth.register()
        mine, other = await auth.login(), await auth.login()
        await self.by(auth, mine.refresh_token)
        assert [await goes_on(auth, one) for one in (mine, other)] == [False, True]
        assert [(one.session_ids, one.reason) for one in revoked(auth)] == [((mine.session_id,), "logout")]

    async def test_its_owner_is_written_down(self, auth: AuthWorld) -> None:
        account = await auth.register()
        await self.by(auth, (await auth.login()).refresh_token)
        (row,) = await auth.rows("SELECT * FROM auth.audit_log WHERE event = 'session.ended'")
        assert (row.account_id, row.actor_id, row.ip) == (account.id, account.id, CLIENT.ip)

    async def test_a_spent_token_ends_it_too(self, auth: AuthWorld) -> None:
        await auth.register()
        mine = await auth.login()
        auth.clock.advance(60)
        fresh = await refresh(auth, mine)
        await self.by(auth, mine.refresh_token)
        assert not await goes_on(auth, fresh)

    async def test_what_is_no_token_or_over_changes_nothing(self, auth: AuthWorld) -> None:
        await auth.register()
        mine, gone = await auth.login(), await auth.login()
        await auth.departures.logout(Empty(), auth.caller(gone))
        for token in (gone.refresh_token, "A" * len(mine.refresh_token)):
            await self.by(auth, token)
        assert await goes_on(auth, mine)
        assert len(revoked(auth)) == 1


class TestLogoutAll:
    async def test_ends_every_session_of_the_account_and_no_other(self, auth: AuthWorld) -> None:
        await auth.register()
        await auth.register("bob@example.com")
        ours = [await auth.login() for _ in range(3)]
        bobs = await auth.login("bob@example.com")
        await auth.departures.logout_all(Empty(), auth.caller(ours[0]))
        assert [await goes_on(auth, one) for one in (*ours, bobs)] == [False, False, False, True]

    async def test_asks_for_no_recent_sign_in(self, auth: AuthWorld) -> None:
        await auth.register()
        tokens = await auth.login()
        auth.clock.advance(TOO_LONG_AGO)
        await auth.departures.logout_all(Empty(), auth.caller(await refresh(auth, tokens)))
        assert not await goes_on(auth, tokens)

    async def test_is_told_as_one_before_the_answer(self, auth: AuthWorld) -> None:
        await auth.register()
        ours = [await auth.login() for _ in range(3)]
        await auth.departures.logout_all(Empty(), auth.caller(ours[0]))
        (told,) = revoked(auth)
        assert set(told.session_ids) == {one.session_id for one in ours}
        assert told.reason == "logout_all"

    async def test_ten_thousand_sessions_end_in_few_messages(self, auth: AuthWorld) -> None:
        account = await auth.register()
        tokens = await auth.login()
        await auth.rows(
            "INSERT INTO auth.sessions (id, account_id, authenticated_at, methods, created_at, last_seen_at,"
            " expires_at) SELECT gen_random_uuid(), :account, :now, '{}', :now, :now, :later"
            " FROM generate_series(1, 9999) RETURNING id",
            account=account.id,
            now=auth.clock.now(),
            later=auth.clock.now() + timedelta(days=1),
        )
        await auth.departures.logout_all(Empty(), auth.caller(tokens))
        told = revoked(auth)
        assert [len(one.session_ids) for one in told] == [REVOKED_AT_ONCE] * 10
        assert len({id_ for one in told for id_ in one.session_ids}) == 10_000
        ((written,),) = await auth.rows("SELECT count(*) FROM auth.audit_log WHERE event = 'session.ended'")
        assert written == 10_000


class TestLogoutOthers:
    async def test_this_session_goes_on(self, auth: AuthWorld) -> None:
        await auth.register()
        others = [await auth.login() for _ in range(2)]
        mine = await auth.login()
        await auth.departures.logout_others(Empty(), auth.caller(mine))
        assert [await goes_on(auth, one) for one in (*others, mine)] == [False, False, True]
        (told,) = revoked(auth)
        assert set(told.session_ids) == {one.session_id for one in others}

    async def test_without_others_nothing_is_told(self, auth: AuthWorld) -> None:
        await auth.register()
        await auth.departures.logout_others(Empty(), auth.caller(await auth.login()))
        assert revoked(auth) == []

    async def test_asks_for_a_recent_sign_in(self, auth: AuthWorld) -> None:
        await auth.register()
        other, mine = await auth.login(), await auth.login()
        auth.clock.advance(TOO_LONG_AGO)
        with pytest.raises(SignInTooOld):
            await auth.departures.logout_others(Empty(), auth.caller(await refresh(auth, mine)))
        assert await goes_on(auth, other)


class TestEndSession:
    async def test_another_one_of_ones_own(self, auth: AuthWorld) -> None:
        await auth.register()
        other, mine = await auth.login(), await auth.login()
        await end(auth, other.session_id, auth.caller(mine))
        assert [await goes_on(auth, one) for one in (other, mine)] == [False, True]
        assert [(one.session_ids, one.reason) for one in revoked(auth)] == [
            ((other.session_id,), "ended_elsewhere")
        ]

    async def test_another_one_asks_for_a_recent_sign_in(self, auth: AuthWorld) -> None:
        await auth.register()
        other, mine = await auth.login(), await auth.login()
        auth.clock.advance(TOO_LONG_AGO)
        stolen = auth.caller(await refresh(auth, mine))
        with pytest.raises(SignInTooOld):
            await end(auth, other.session_id, stolen)
        again = await auth.login()
        await end(auth, other.session_id, auth.caller(again))
        assert not await goes_on(auth, other)

    async def test_this_one_does_not(self, auth: AuthWorld) -> None:
        await auth.register()
        mine = await auth.login()
        auth.clock.advance(TOO_LONG_AGO)
        await end(auth, mine.session_id, auth.caller(await refresh(auth, mine)))
        assert not await goes_on(auth, mine)

    async def test_a_strangers_is_not_found(self, auth: AuthWorld) -> None:
        await auth.register()
        await auth.register("bob@example.com")
        bobs, mine = await auth.login("bob@example.com"), await auth.login()
        for session in (bobs.session_id, uuid.uuid4()):
            with pytest.raises(SessionNotFound):
                await end(auth, session, auth.caller(mine))
        assert await goes_on(auth, bobs)

    async def test_twice_is_once(self, auth: AuthWorld) -> None:
        await auth.register()
        other, mine = await auth.login(), await auth.login()
        for _ in range(2):
            await end(auth, other.session_id, auth.caller(mine))
        assert len(revoked(auth)) == 1

    async def test_a_session_that_has_ended_ends_no_other(self, auth: AuthWorld) -> None:
        await auth.register()
        other, mine = await auth.login(), await auth.login()
        await auth.departures.logout(Empty(), auth.caller(mine))
        with pytest.raises(SessionEnded):
            await end(auth, other.session_id, auth.caller(mine))


async def test_whatever_ended_is_among_the_revocations_that_a_gateway_asks_for(auth: AuthWorld) -> None:
    await auth.register()
    ours = [await auth.login() for _ in range(4)]
    await end(auth, ours[0].session_id, auth.caller(ours[3]))
    await auth.departures.logout_others(Empty(), auth.caller(ours[3]))
    await auth.departures.logout_all(Empty(), auth.caller(ours[3]))
    known = await auth.sessions.revocations(RevocationsRequest(), ANONYMOUS)
    assert {one.session_id for one in known.sessions} == {one.session_id for one in ours}
