"""What people change about their own account, against a real PostgreSQL."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from libs.auth.callers import Origin
from libs.auth.orm import Base
from libs.domain.auth import (
    Account,
    AccountExists,
    ChangePasswordRequest,
    CreateApiKeyRequest,
    DeleteMeRequest,
    InvalidCredentials,
    RefreshRequest,
    RevocationsRequest,
    SessionEnded,
    SessionsRevoked,
    SignInTooOld,
    TokenPair,
    UpdateMeRequest,
)
from libs.messaging import ANONYMOUS, Empty, ValidationFailed
from tests.fixtures.accounts import FROM_CLIENT, PASSWORD, AuthWorld, eventually
from tests.fixtures.mail import MailWorld

ANOTHER = "eight brown teapots"


async def update(auth: AuthWorld, tokens: TokenPair, **changes: Any) -> Account:
    return await auth.accounts.update_me(UpdateMeRequest(**changes), auth.caller(tokens))


async def change(auth: AuthWorld, tokens: TokenPair, *, current: str = PASSWORD, new: str = ANOTHER) -> None:
    request = ChangePasswordRequest(current_password=current, new_password=new)
    await auth.rules.password_change.change(request, auth.caller(tokens))


async def refresh(auth: AuthWorld, tokens: TokenPair) -> TokenPair:
    return await auth.sessions.refresh(RefreshRequest(refresh_token=tokens.refresh_token), FROM_CLIENT)


async def delete(auth: AuthWorld, tokens: TokenPair, password: str | None = None) -> None:
    await auth.closing.delete_me(DeleteMeRequest(password=password), auth.caller(tokens))


async def audited(auth: AuthWorld, event: str) -> list[Any]:
    return await auth.rows("SELECT * FROM auth.audit_log WHERE event = :event", event=event)


class TestUpdate:
    async def test_what_is_not_named_stays(self, auth: AuthWorld) -> None:
        await auth.register(username="ann")
        tokens = await auth.login()
        changed = await update(auth, tokens, metadata={"theme": "dark"})
        assert (changed.username, changed.metadata) == ("ann", {"theme": "dark"})
        changed = await update(auth, tokens, username="Ann_Lee")
        assert (changed.username, changed.metadata) == ("ann_lee", {"theme": "dark"})
        assert await auth.accounts.me(Empty(), auth.caller(tokens)) == changed
        assert (await auth.login("ann_lee")).refresh_token

    @pytest.mark.parametrize("username", ["eve", None])
    async def test_another_name_is_another_login_and_takes_a_recent_sign_in(
        self, auth: AuthWorld, username: str | None
    ) -> None:
        await auth.register(username="ann")
        me = auth.caller(await auth.login())
        auth.clock.advance(901)
        both = UpdateMeRequest(username=username, metadata={"theme": "dark"})
        with pytest.raises(SignInTooOld):
            await auth.accounts.update_me(both, me)
        assert (await auth.accounts.me(Empty(), me)).metadata == {}
        same = UpdateMeRequest(username="ANN", metadata={"theme": "dark"})
        changed = await auth.accounts.update_me(same, me)
        assert (changed.username, changed.metadata) == ("ann", {"theme": "dark"})
        await auth.accounts.update_me(UpdateMeRequest(metadata={}), me)
        assert (await update(auth, await auth.login(), username=username)).username == username

    async def test_a_name_can_be_given_up(self, auth: AuthWorld) -> None:
        await auth.register(username="ann")
        tokens = await auth.login()
        assert (await update(auth, tokens, username=None)).username is None
        await auth.register("bob@example.com", "ann")

    async def test_a_taken_name_is_refused_and_nothing_changes(self, auth: AuthWorld) -> None:
        await auth.register(username="ann")
        await auth.register("bob@example.com", "bob")
        tokens = await auth.login()
        with pytest.raises(AccountExists):
            await update(auth, tokens, username="BOB", metadata={"a": 1})
        me = await auth.accounts.me(Empty(), auth.caller(tokens))
        assert (me.username, me.metadata) == ("ann", {})

    async def test_of_two_who_want_a_name_at_once_one_gets_it(self, auth: AuthWorld) -> None:
        tokens = []
        for name in ("ann", "bob"):
            await auth.register(f"{name}@example.com")
            tokens.append(await auth.login(f"{name}@example.com"))
        outcomes = await asyncio.gather(
            *(update(auth, one, username="best") for one in tokens), return_exceptions=True
        )
        assert sorted(type(one).__name__ for one in outcomes) == ["Account", "AccountExists"]

    async def test_is_written_down_and_told_by_the_names_of_what_changed(self, auth: AuthWorld) -> None:
        account = await auth.register()
        await update(auth, await auth.login(), username="ann", metadata={"secret": "x"})
        (row,) = await audited(auth, "account.updated")
        assert (row.account_id, row.details) == (account.id, {"changed": ["metadata", "username"]})
        await eventually(lambda: "auth.account.updated" in auth.bus.names())

    async def test_no_change_leaves_no_trace(self, auth: AuthWorld) -> None:
        account = await auth.register()
        assert await update(auth, await auth.login()) == account
        assert await audited(auth, "account.updated") == []

    async def test_a_shut_account_is_nobody(self, auth: AuthWorld) -> None:
        await auth.register()
        tokens = await auth.login()
        await auth.closing.disable_by_login("ann@example.com", Origin())
        with pytest.raises(SessionEnded):
            await update(auth, tokens, username="ann")


class TestChangePassword:
    async def test_the_new_one_opens_and_the_old_one_does_not(self, auth: AuthWorld) -> None:
        await auth.register()
        await change(auth, await auth.login())
        with pytest.raises(InvalidCredentials):
            await auth.login()
        assert (await auth.login(password=ANOTHER)).refresh_token

    async def test_the_other_sessions_end_and_this_one_goes_on(self, auth: AuthWorld) -> None:
        await auth.register()
        other, mine = await auth.login(), await auth.login()
        await change(auth, mine)
        with pytest.raises(SessionEnded):
            await refresh(auth, other)
        assert (await refresh(auth, mine)).refresh_token
        (told,) = [
            SessionsRevoked.model_validate_json(one.body)
            for one in auth.bus.sent
            if one.name == "auth.session.revoked"
        ]
        assert (told.session_ids, told.reason) == ((other.session_id,), "password_changed")

    async def test_a_wrong_present_password_changes_nothing_and_is_written_down(
        self, auth: AuthWorld
    ) -> None:
        account = await auth.register()
        other, mine = await auth.login(), await auth.login()
        with pytest.raises(InvalidCredentials):
            await change(auth, mine, current="wrong password")
        assert (await auth.login()).refresh_token
        assert (await refresh(auth, other)).refresh_token
        (row,) = await audited(auth, "reauthentication.failed")
        assert (row.account_id, row.session_id, row.actor_id) == (account.id, mine.session_id, account.id)

    @pytest.mark.parametrize("new", ["password1", "ann@example.com", "ann the best", "example.com!"], ids=str)
    async def test_a_weak_new_one_is_refused_by_its_name(self, auth: AuthWorld, new: str) -> None:
        await auth.register(username="ann-the-best")
        with pytest.raises(ValidationFailed) as refused:
            await change(auth, await auth.login(), new=new)
        assert [one.field for one in refused.value.errors] == ["new_password"]
        assert (await auth.login()).refresh_token

    async def test_of_two_changes_at_once_one_holds(self, auth: AuthWorld) -> None:
        await auth.register()
        one, two = await auth.login(), await auth.login()
        outcomes = await asyncio.gather(
            change(auth, one, new="nine white kettles"),
            change(auth, two, new="ten black saucers"),
            return_exceptions=True,
        )
        assert sum(outcome is None for outcome in outcomes) == 1
        assert sum(isinstance(outcome, InvalidCredentials) for outcome in outcomes) == 1

    async def test_a_login_with_the_old_one_meanwhile_leaves_no_session(self, auth: AuthWorld) -> None:
        await auth.register()
        mine = await auth.login()
        outcomes = await asyncio.gather(
            change(auth, mine), *(auth.login() for _ in range(6)), return_exceptions=True
        )
        for one in outcomes[1:]:
            if isinstance(one, TokenPair):
                with pytest.raises(SessionEnded):
                    await refresh(auth, one)
            else:
                assert isinstance(one, InvalidCredentials)

    async def test_is_told(self, auth: AuthWorld) -> None:
        await auth.register()
        await change(auth, await auth.login())
        assert len(await audited(auth, "password.changed")) == 1
        await eventually(lambda: "auth.password.changed" in auth.bus.names())


class TestDelete:
    async def test_nothing_of_the_person_stays_but_the_audit(self, mail: MailWorld) -> None:
        auth = mail.auth
        await mail.flows.relay.stop()  # the letters wait
        account = await auth.register(username="ann")
        tokens = await auth.login()
        await update(auth, tokens, metadata={"a": 1})
        await mail.flows.own_acts.create_api_key(CreateApiKeyRequest(name="backup"), auth.caller(tokens))
        await mail.ask_reset()
        await delete(auth, tokens, PASSWORD)
        naming = {
            table.name
            for table in Base.metadata.sorted_tables
            if await auth.rows(
                # ruff: ignore[hardcoded-sql-expression]  # the table's name is our own
                f"SELECT 1 FROM {table} t WHERE t::text LIKE :id OR t::text LIKE '%ann@example.com%'",
                id=f"%{account.id}%",
            )
        }
        assert naming == {"accounts", "sessions", "audit_log"}
        assert await mail.letters_left() == 0
        (row,) = await auth.rows("SELECT * FROM auth.accounts")
        assert (row.email, row.username, row.metadata, row.status) == ("", None, {}, "deleted")
        assert await auth.rows("SELECT 1 FROM auth.credentials") == []
        assert await auth.rows("SELECT 1 FROM auth.sessions WHERE ip <> '' OR user_agent <> ''") == []
        (written,) = await audited(auth, "account.deleted")
        assert (written.account_id, written.actor_id) == (account.id, account.id)

    async def test_the_address_and_the_name_are_free_at_once(self, auth: AuthWorld) -> None:
        first = await auth.register(username="ann")
        await delete(auth, await auth.login())
        again = await auth.register(username="ann")
        assert again.id != first.id
        await delete(auth, await auth.login())

    async def test_its_sessions_have_ended_and_every_gateway_can_know(self, auth: AuthWorld) -> None:
        await auth.register()
        ours = [await auth.login() for _ in range(3)]
        await delete(auth, ours[0])
        assert "auth.session.revoked" in auth.bus.names()
        await eventually(lambda: "auth.account.deleted" in auth.bus.names())
        known = await auth.sessions.revocations(RevocationsRequest(), ANONYMOUS)
        assert {one.session_id for one in known.sessions} == {one.session_id for one in ours}
        for tokens in ours:
            with pytest.raises(SessionEnded):
                await refresh(auth, tokens)

    async def test_nobody_signs_in_to_it(self, auth: AuthWorld) -> None:
        account = await auth.register(username="ann")
        await delete(auth, await auth.login())
        for login in ("ann@example.com", "ann", f"deleted:{account.id}"):
            with pytest.raises(InvalidCredentials):
                await auth.login(login)

    async def test_an_old_sign_in_needs_the_password(self, auth: AuthWorld) -> None:
        await auth.register()
        tokens = await auth.login()
        auth.clock.advance(901)
        tokens = await refresh(auth, tokens)
        with pytest.raises(SignInTooOld):
            await delete(auth, tokens)
        with pytest.raises(InvalidCredentials):
            await delete(auth, tokens, "wrong password")
        await delete(auth, tokens, PASSWORD)
        with pytest.raises(InvalidCredentials):
            await auth.login()

    async def test_a_wrong_password_is_not_outweighed_by_a_recent_sign_in(self, auth: AuthWorld) -> None:
        await auth.register()
        with pytest.raises(InvalidCredentials):
            await delete(auth, await auth.login(), "wrong password")
        assert (await auth.login()).refresh_token

    async def test_twice_is_once(self, auth: AuthWorld) -> None:
        await auth.register()
        tokens = await auth.login()
        await delete(auth, tokens)
        with pytest.raises(SessionEnded):
            await delete(auth, tokens)
        assert len(await audited(auth, "account.deleted")) == 1

    async def test_a_shut_account_can_be_deleted_and_not_shut_again(self, auth: AuthWorld) -> None:
        account = await auth.register()
        await auth.closing.disable(account.id, Origin())
        assert await auth.closing.delete(account.id, Origin())
        assert await auth.closing.disable(account.id, Origin()) == 0
        assert await auth.rows("SELECT status FROM auth.accounts") == [("deleted",)]
        assert not await auth.closing.delete(account.id, Origin())
