"""What admins do to accounts, against a real PostgreSQL and a mail sink."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import pytest

from libs.auth import ProcessStore, Rates, ThrottleSettings, handlers
from libs.auth.callers import Origin
from libs.domain.auth import (
    ADMIN_OPERATIONS,
    Account,
    AccountExists,
    AccountExport,
    AccountNotFound,
    AccountPage,
    AccountRecord,
    CreateApiKeyRequest,
    DeleteMeRequest,
    EndedSessions,
    Forbidden,
    InvalidCredentials,
    LastAdmin,
    MailOff,
    RefreshRequest,
    RegisterRequest,
    SessionEnded,
    SignInTooOld,
    TokenInvalid,
    TokenPair,
    ValidateApiKeyRequest,
    ValidateRequest,
)
from libs.messaging import ANONYMOUS, Caller, Empty, Handlers, Identity, Lane, ValidationFailed
from tests.fixtures.accounts import CLIENT, FROM_CLIENT, PASSWORD, AuthWorld, eventually
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.mail import NEW_PASSWORD, MailWorld, mail_world
from tests.fixtures.services import SessionServices

NOBODY = UUID(int=7)
TOO_LONG_AGO = 901
ROLES = "editor=notes:read notes:write, viewer=notes:read"


@dataclass
class Office:
    """An admin at work."""

    mail: MailWorld
    table: Handlers
    account: Account
    tokens: TokenPair

    @property
    def auth(self) -> AuthWorld:
        return self.mail.auth

    @property
    def caller(self) -> Caller:
        return self.auth.caller(self.tokens)

    def signed_in_long_ago(self) -> Caller:
        """The admin, by a token that was refreshed since."""
        caller = self.caller
        self.auth.clock.advance(TOO_LONG_AGO)
        return caller

    async def ask(self, operation: str, caller: Caller | None = None, **fields: Any) -> Any:
        """Call an operation as the bus does: by the table, behind the contract's scope."""
        route = self.table.routes[f"auth.admin.{operation}"]
        return await route.handler(route.operation.request(**fields), caller or self.caller)

    async def record(self, account_id: UUID) -> AccountRecord:
        found = await self.ask("get", id=account_id)
        assert isinstance(found, AccountRecord)
        return found

    async def good(self, tokens: TokenPair) -> bool:
        """Whether the access token is believed by who asks auth_svc."""
        asked = ValidateRequest(access_token=tokens.access_token)
        return (await self.auth.sessions.validate(asked, ANONYMOUS)).active

    async def scope(self, login: str) -> str:
        tokens = await self.auth.login(login)
        return self.auth.keys.verifier.verify(tokens.access_token).scope

    async def written(self, event: str) -> list[Any]:
        return await self.auth.rows("SELECT * FROM auth.audit_log WHERE event = :event", event=event)


async def admin(auth: AuthWorld, email: str) -> Account:
    request = RegisterRequest(email=email, password=PASSWORD)
    return await auth.accounts.register(request, FROM_CLIENT, vouched=True, roles=["admin"])


@pytest.fixture
async def office(database: MigratedDatabase, services: SessionServices) -> AsyncIterator[Office]:
    async with mail_world(database, services.mail, roles=ROLES) as mail:
        rates = Rates(ProcessStore(), ThrottleSettings())
        table = handlers(mail.auth.rules, mail.flows, rates, hashing=Lane())
        account = await admin(mail.auth, "root@example.com")
        yield Office(mail, table, account, await mail.auth.login("root@example.com"))


OPERATIONS = [one.name.removeprefix("auth.admin.") for one in ADMIN_OPERATIONS]


def fields(operation: str, account_id: UUID) -> dict[str, Any]:
    """What the operation must be told to do something to this account, or to make one."""
    if operation in {"create", "find"}:
        return {"email": "eve@example.com"}
    return {"id": account_id} | ({"role": "editor"} if operation.endswith("role") else {})


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_only_the_scope_opens_it(office: Office, operation: str) -> None:
    ann = await office.auth.register()
    caller = office.auth.caller(await office.auth.login())
    needed = fields(operation, ann.id)
    before = await office.auth.rows("SELECT count(*) FROM auth.audit_log")
    with pytest.raises(Forbidden):
        await office.ask(operation, caller, **needed)
    with pytest.raises(TokenInvalid):
        await office.ask(operation, ANONYMOUS, **needed)
    assert await office.auth.rows("SELECT count(*) FROM auth.audit_log") == before


class TestRecentSignIn:
    @pytest.mark.parametrize("operation", [one for one in OPERATIONS if one not in {"find", "get"}])
    async def test_whatever_does_more_than_look_asks_for_one(self, office: Office, operation: str) -> None:
        ann = await office.auth.register()
        needed = fields(operation, ann.id)
        me = office.signed_in_long_ago()
        before = await office.auth.rows("SELECT count(*) FROM auth.audit_log")
        with pytest.raises(SignInTooOld):
            await office.ask(operation, me, **needed)
        assert await office.auth.rows("SELECT count(*) FROM auth.audit_log") == before
        again = office.auth.caller(await office.auth.login("root@example.com"))
        await office.ask(operation, again, **needed)

    @pytest.mark.parametrize("operation", ["find", "get"])
    async def test_whoever_looks_needs_none(self, office: Office, operation: str) -> None:
        ann = await office.auth.register()
        found = await office.ask(operation, office.signed_in_long_ago(), id=ann.id)
        assert str(ann.id) in found.model_dump_json()

    @pytest.mark.parametrize("kind", ["api_key", "service"])
    async def test_programs_have_none_and_prove_themselves_each_time(
        self, office: Office, kind: Literal["api_key", "service"]
    ) -> None:
        ann = await office.auth.register()
        program = Caller(identity=Identity(str(office.account.id), str(NOBODY), "admin", kind))
        await office.ask("disable", program, id=ann.id)
        assert (await office.ask("get", program, id=ann.id)).status == "disabled"

    async def test_so_a_stolen_token_makes_itself_no_program(self, office: Office) -> None:
        """An API key outlives the session that made it, and needs no sign-in afterwards."""
        create = office.table.routes["auth.create_api_key"]
        request = CreateApiKeyRequest(name="mine now", scope="admin")
        with pytest.raises(SignInTooOld):
            await create.handler(request, office.signed_in_long_ago())
        again = office.auth.caller(await office.auth.login("root@example.com"))
        assert (await create.handler(request, again)).scope == "admin"

    async def test_a_session_that_is_over_is_none(self, office: Office) -> None:
        """Also for a token that no gateway has judged since."""
        ann = await office.auth.register()
        await office.auth.departures.logout(Empty(), office.caller)
        with pytest.raises(SessionEnded):
            await office.ask("disable", id=ann.id)


class TestFinding:
    async def test_by_each_name_of_an_account(self, office: Office) -> None:
        ann = await office.auth.register(username="ann")
        await office.auth.register("bob@example.com")
        for fields in ({"email": "ANN@example.com"}, {"username": "ann"}, {"id": ann.id}):
            page = await office.ask("find", **fields)
            assert [one.id for one in page.accounts] == [ann.id]
        assert (await office.ask("find", role="admin")).accounts[0].id == office.account.id
        assert (await office.ask("find", status="disabled")).accounts == ()

    async def test_page_by_page(self, office: Office) -> None:
        made = [office.account.id, *[(await office.auth.register(f"a{n}@example.com")).id for n in range(4)]]
        seen: list[UUID] = []
        after = None
        while True:
            page = await office.ask("find", limit=2, after=after)
            assert isinstance(page, AccountPage)
            assert len(page.accounts) <= 2
            seen += [one.id for one in page.accounts]
            after = page.next
            if after is None:
                break
        assert seen == made[::-1]

    async def test_one_that_is_not_there(self, office: Office) -> None:
        for operation in ("get", "disable", "enable", "delete", "end_sessions", "reset_factors", "export"):
            with pytest.raises(AccountNotFound):
                await office.ask(operation, id=NOBODY)
        for operation in ("give_role", "take_role"):
            with pytest.raises(AccountNotFound):
                await office.ask(operation, id=NOBODY, role="editor")


class TestAudit:
    async def test_an_admin_and_a_leaked_key_of_theirs_do_not_look_alike(self, office: Office) -> None:
        ann = await office.auth.register()
        made = await office.auth.rules.api_keys.create(
            CreateApiKeyRequest(name="backup", scope="admin"), office.caller
        )
        program = Identity(str(office.account.id), str(made.id), "admin", "api_key")
        for caller in (office.caller, Caller(identity=program, client=CLIENT)):
            for operation in ("disable", "enable"):
                await office.ask(operation, caller, id=ann.id)
        for event in ("account.disabled", "account.enabled"):
            assert [row.details for row in await office.written(event)] == [
                {"actor_session": str(office.tokens.session_id)},
                {"actor_api_key": str(made.id)},
            ]


class TestRestraints:
    async def test_a_shut_account_is_out_until_it_is_opened(self, office: Office) -> None:
        ann = await office.auth.register()
        tokens = await office.auth.login()
        await office.ask("disable", id=ann.id)
        assert not await office.good(tokens)
        with pytest.raises(InvalidCredentials):
            await office.auth.login()
        assert (await office.record(ann.id)).status == "disabled"
        await office.ask("enable", id=ann.id)
        await office.ask("enable", id=ann.id)
        assert await office.good(await office.auth.login())
        assert not await office.good(tokens)
        (row,) = await office.written("account.enabled")
        assert (row.account_id, row.actor_id, row.ip) == (ann.id, office.account.id, CLIENT.ip)
        await eventually(lambda: "auth.account.enabled" in office.auth.bus.names())

    async def test_one_that_is_deleted_before_it_is_shut_is_not_there(self, office: Office) -> None:
        ann = await office.auth.register()
        closing = office.auth.closing
        disable = closing.disable

        async def too_late(account_id: UUID, origin: Origin) -> int:
            await closing.delete(account_id, origin)
            return await disable(account_id, origin)

        closing.disable = too_late  # type: ignore[method-assign]  # somebody else is quicker
        with pytest.raises(AccountNotFound):
            await office.ask("disable", id=ann.id)
        assert await office.written("account.disabled") == []

    async def test_a_deleted_account_is_gone(self, office: Office) -> None:
        ann = await office.auth.register()
        await office.ask("delete", id=ann.id)
        with pytest.raises(AccountNotFound):
            await office.record(ann.id)
        (row,) = await office.written("account.deleted")
        assert (row.account_id, row.actor_id) == (ann.id, office.account.id)

    async def test_all_sessions_end(self, office: Office) -> None:
        ann = await office.auth.register()
        tokens = [await office.auth.login() for _ in range(2)]
        assert await office.ask("end_sessions", id=ann.id) == EndedSessions(ended=2)
        assert not any([await office.good(one) for one in tokens])
        assert {row.details["reason"] for row in await office.written("session.ended")} == {"ended_by_admin"}


class TestRoles:
    async def test_a_given_role_is_in_the_next_token(self, office: Office) -> None:
        ann = await office.auth.register()
        tokens = await office.auth.login()
        await office.ask("give_role", id=ann.id, role="viewer")
        await office.ask("give_role", id=ann.id, role="editor")
        fresh = await office.auth.sessions.refresh(
            RefreshRequest(refresh_token=tokens.refresh_token), FROM_CLIENT
        )
        claims = office.auth.keys.verifier.verify(fresh.access_token)
        assert claims.scope == "notes:read notes:write"
        assert (await office.record(ann.id)).roles == ("editor", "viewer")
        assert [row.details["role"] for row in await office.written("role.given")][1:] == ["viewer", "editor"]

    async def test_a_taken_role_takes_the_tokens_with_it(self, office: Office) -> None:
        ann = await office.auth.register()
        await office.ask("give_role", id=ann.id, role="editor")
        tokens = await office.auth.login()
        await office.ask("take_role", id=ann.id, role="editor")
        assert not await office.good(tokens)
        with pytest.raises(SessionEnded):
            await office.auth.sessions.refresh(
                RefreshRequest(refresh_token=tokens.refresh_token), FROM_CLIENT
            )
        assert "auth.session.revoked" in office.auth.bus.names()
        assert not await office.scope("ann@example.com")
        (row,) = await office.written("role.taken")
        assert (row.account_id, row.actor_id) == (ann.id, office.account.id)

    async def test_an_api_key_allows_no_more_than_its_owner(self, office: Office) -> None:
        ann = await office.auth.register()
        await office.ask("give_role", id=ann.id, role="editor")
        await office.ask("give_role", id=ann.id, role="viewer")
        caller = office.auth.caller(await office.auth.login())
        keys = office.auth.rules.api_keys
        reads = await keys.create(CreateApiKeyRequest(name="reads", scope="notes:read"), caller)
        writes = await keys.create(CreateApiKeyRequest(name="writes", scope="notes:write"), caller)
        await office.ask("take_role", id=ann.id, role="editor")
        found = [
            await keys.validate(ValidateApiKeyRequest(key=one.key), ANONYMOUS) for one in (reads, writes)
        ]
        assert [(one.active, one.scope) for one in found] == [(True, "notes:read"), (False, "")]

    async def test_a_role_that_is_not_had_costs_nobody_a_session(self, office: Office) -> None:
        ann = await office.auth.register()
        tokens = await office.auth.login()
        await office.ask("take_role", id=ann.id, role="editor")
        assert await office.good(tokens)

    async def test_there_is_no_such_role(self, office: Office) -> None:
        with pytest.raises(ValidationFailed):
            await office.ask("give_role", id=office.account.id, role="emperor")


class TestTheLastAdmin:
    async def test_stays(self, office: Office) -> None:
        me = office.account.id
        attempts: dict[str, dict[str, Any]] = {"disable": {}, "delete": {}, "take_role": {"role": "admin"}}
        for operation, fields in attempts.items():
            with pytest.raises(LastAdmin):
                await office.ask(operation, id=me, **fields)
        with pytest.raises(LastAdmin):
            await office.auth.closing.disable_by_login("root@example.com", Origin())
        with pytest.raises(LastAdmin):
            await office.auth.closing.delete_me(DeleteMeRequest(), office.caller)
        assert await office.good(office.tokens)

    async def test_one_that_is_shut_does_not_count(self, office: Office) -> None:
        other = await admin(office.auth, "second@example.com")
        await office.ask("disable", id=other.id)
        with pytest.raises(LastAdmin):
            await office.ask("take_role", id=office.account.id, role="admin")

    async def test_the_first_of_two_may_go(self, office: Office) -> None:
        await admin(office.auth, "second@example.com")
        await office.ask("take_role", id=office.account.id, role="admin")
        assert not await office.scope("root@example.com")

    async def test_of_two_who_shut_each_other_one_stays(self, office: Office) -> None:
        other = await admin(office.auth, "second@example.com")
        theirs = office.auth.caller(await office.auth.login("second@example.com"))
        done = await asyncio.gather(
            office.ask("disable", id=other.id),
            office.ask("disable", theirs, id=office.account.id),
            return_exceptions=True,
        )
        refused = [type(one) for one in done if one != Empty()]
        assert refused in ([LastAdmin], [SessionEnded])  # by how far the other one had come
        left = await office.auth.rows("SELECT id FROM auth.accounts WHERE status = 'active'")
        assert len(left) == 1


class TestPasswordsAreTheOwners:
    async def test_a_made_account_is_opened_by_its_owner(self, office: Office) -> None:
        made = await office.ask("create", email="ann@example.com", username="ann", roles=["editor"])
        (letter,) = await office.mail.mail()
        assert letter.recipient == "ann@example.com"
        with pytest.raises(InvalidCredentials):
            await office.auth.login()
        sent = await office.mail.ask_reset()
        await office.mail.reset(sent, await office.mail.code())
        tokens = await office.auth.login(password=NEW_PASSWORD)
        claims = office.auth.keys.verifier.verify(tokens.access_token)
        assert (claims.sub, claims.scope) == (str(made.id), "notes:read notes:write")
        with pytest.raises(AccountExists):
            await office.ask("create", email="Ann@Example.com")

    async def test_a_reset_leaves_the_choice_to_the_owner(self, office: Office) -> None:
        ann = await office.auth.register()
        tokens = await office.auth.login()
        await office.ask("reset_factors", id=ann.id)
        assert not await office.good(tokens)
        with pytest.raises(InvalidCredentials):
            await office.auth.login()
        await office.mail.mail()
        sent = await office.mail.ask_reset()
        await office.mail.reset(sent, await office.mail.code())
        assert await office.good(await office.auth.login(password=NEW_PASSWORD))
        (row,) = await office.written("factors.reset")
        session = {"actor_session": str(office.tokens.session_id)}
        assert (row.actor_id, row.details) == (office.account.id, {"kinds": ["password"], **session})

    async def test_a_reset_ends_the_keys_before_it_answers(self, office: Office) -> None:
        ann = await office.auth.register()
        caller = office.auth.caller(await office.auth.login())
        key = await office.auth.rules.api_keys.create(CreateApiKeyRequest(name="backup"), caller)
        await office.auth.departures.logout(
            Empty(), caller
        )  # no session is left whose end would be told later
        await office.ask("reset_factors", id=ann.id)
        told = [one.body for one in office.auth.bus.sent if one.name == "auth.session.revoked"]
        assert str(key.id) in str(told[-1])
        (row,) = await office.written("api_key.revoked")
        assert (row.account_id, row.actor_id) == (ann.id, office.account.id)
        assert row.details["api_key"] == str(key.id)

    async def test_without_a_mail_server_nothing_changes(self, office: Office) -> None:
        office.mail.flows.post.delivers = False
        for operation, fields in (
            ("create", {"email": "ann@example.com"}),
            ("reset_factors", {"id": office.account.id}),
        ):
            with pytest.raises(MailOff):
                await office.ask(operation, **fields)
        assert await office.good(office.tokens)


class TestExport:
    async def test_it_has_everything_but_secrets(self, office: Office) -> None:
        ann = await office.auth.register(username="ann")
        await office.auth.login()
        export = await office.ask("export", id=ann.id)
        assert isinstance(export, AccountExport)
        assert export.account.username == "ann"
        assert [one.kind for one in export.credentials] == ["password"]
        assert [one.ip for one in export.sessions] == [CLIENT.ip]
        assert [one.event for one in export.audit] == ["account.registered", "session.started"]
        assert "argon2" not in export.model_dump_json()
        (row,) = await office.written("account.exported")
        assert (row.account_id, row.actor_id) == (ann.id, office.account.id)

    async def test_its_pages_repeat_nothing_and_leave_nothing_out(self, office: Office) -> None:
        ann = await office.auth.register()
        for _ in range(5):
            await office.auth.login()
        whole = await office.ask("export", id=ann.id)
        sessions, audit, after = [], [], None
        while True:
            page = await office.ask("export", id=ann.id, limit=3, after=after)
            assert len(page.sessions) + len(page.audit) <= 3
            sessions += page.sessions
            audit += [one for one in page.audit if one.event != "account.exported"]
            after = page.next
            if after is None:
                break
        assert sessions == list(whole.sessions)
        assert audit == list(whole.audit)
