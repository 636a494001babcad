"""Every security event as it is written down: the whole row, by the act that causes it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, get_args
from uuid import UUID

import pytest
from pydantic import SecretStr

from libs.auth import MailFlows, MailSettings, ProcessStore, Rates, ThrottleSettings, handlers
from libs.auth.callers import Origin
from libs.auth.imports import AccountImport, Format
from libs.domain.auth import (
    ClientInvalid,
    CodeInvalid,
    InvalidCredentials,
    RegisterRequest,
    SecurityEvent,
    TokenPair,
    TooManyAttempts,
)
from libs.infra.smtp import Smtp, SmtpSettings
from libs.messaging import Caller, Client, Handlers, Identity, Lane
from tests.fixtures.accounts import CLIENT, FROM_CLIENT, PASSWORD, AuthWorld, auth_world
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.mail import SECRET, MailWorld, other_than
from tests.fixtures.services import SessionServices

ANOTHER = "eight brown teapots"
COMMAND = Client(user_agent="gatehouse command, ann")
OPERATOR = Origin(user_agent=COMMAND.user_agent)
NOBODY = Client()


@dataclass
class Scene:
    """Ann, whose address is not verified yet, and an admin; both are signed in."""

    mail: MailWorld
    table: Handlers
    file: Path
    ann: UUID = field(init=False)
    root: UUID = field(init=False)
    mine: TokenPair = field(init=False)
    roots: TokenPair = field(init=False)

    async def begin(self) -> None:
        admin = RegisterRequest(email="root@example.com", password=PASSWORD)
        self.root = (await self.auth.accounts.register(admin, FROM_CLIENT, vouched=True, roles=["admin"])).id
        self.ann = (await self.auth.register()).id
        self.mine, self.roots = await self.auth.login(), await self.auth.login("root@example.com")

    @property
    def auth(self) -> AuthWorld:
        return self.mail.auth

    async def ask(self, operation: str, caller: Caller = FROM_CLIENT, **fields: Any) -> Any:
        """Call an operation as the bus does."""
        route = self.table.routes[f"auth.{operation}"]
        return await route.handler(route.operation.request.model_validate(fields), caller)

    async def by_ann(self, operation: str, **fields: Any) -> Any:
        return await self.ask(operation, self.auth.caller(self.mine), **fields)

    async def by_root(self, operation: str, **fields: Any) -> Any:
        return await self.ask(f"admin.{operation}", self.auth.caller(self.roots), id=self.ann, **fields)

    async def service(self) -> Any:
        return await self.auth.rules.service_accounts.create("billing", "notes:read", OPERATOR)

    async def account(self, email: str) -> UUID:
        ((id_,),) = await self.auth.rows("SELECT id FROM auth.accounts WHERE email = :email", email=email)
        assert isinstance(id_, UUID)
        return id_


@dataclass(frozen=True)
class Row:
    """What is to be written down; of the details the keys."""

    account: UUID | None = None
    actor: UUID | None = None
    session: UUID | None = None
    client: Client = CLIENT
    details: frozenset[str] = frozenset()


Act: TypeAlias = Callable[[Scene], Awaitable[Row]]
ACTS: list[tuple[str, Act]] = []


def causes(event: SecurityEvent) -> Callable[[Act], Act]:
    def kept(act: Act) -> Act:
        ACTS.append((event, act))
        return act

    return kept


def keys(*names: str) -> frozenset[str]:
    return frozenset(names)


def anns(scene: Scene, *details: str) -> Row:
    """What Ann does with her session to her account, where the row names the session itself."""
    return Row(scene.ann, scene.ann, scene.mine.session_id, details=keys(*details))


def roots(scene: Scene, *details: str) -> Row:
    """What the admin does to Ann."""
    return Row(scene.ann, scene.root, details=keys("actor_session", *details))


@pytest.fixture
async def scene(
    database: MigratedDatabase, services: SessionServices, tmp_path: Path
) -> AsyncIterator[Scene]:
    async with auth_world(database.url, throttles=ThrottleSettings(), roles="editor=notes:read") as auth:
        rates = Rates(ProcessStore(), ThrottleSettings())
        flows = mail_flows(auth, services.mail.url)
        kept = services.mail.mailbox.all()
        flows.relay.start()
        table = handlers(auth.rules, flows, rates, hashing=Lane())
        scene = Scene(
            MailWorld(auth, flows, services.mail, kept[-1].number if kept else 0),
            table,
            tmp_path / "accounts.jsonl",
        )
        try:
            await scene.begin()
            yield scene
        finally:
            await flows.relay.stop()


def mail_flows(auth: AuthWorld, url: str) -> MailFlows:
    return MailFlows.over(
        auth.rules,
        MailSettings(),
        smtp=Smtp(SmtpSettings(url=SecretStr(url))),
        rates=Rates(ProcessStore(), ThrottleSettings()),
        secrets=[SECRET],
    )


@causes("account.registered")
async def somebody_registers(scene: Scene) -> Row:
    await scene.ask("register", email="bob@example.com", password=PASSWORD)
    return Row(await scene.account("bob@example.com"))


@causes("account.registered")
async def an_admin_makes_an_account(scene: Scene) -> Row:
    await scene.ask("admin.create", scene.auth.caller(scene.roots), email="bob@example.com")
    return Row(await scene.account("bob@example.com"), scene.root, details=keys("actor_session"))


@causes("account.imported")
async def an_operator_imports(scene: Scene) -> Row:
    scene.file.write_text(json.dumps({"email": "bob@example.com"}), encoding="utf-8")
    importer = AccountImport(scene.auth.storage, scene.auth.clock)
    await importer.run(scene.file, Format.JSONL, write=True, origin=OPERATOR)
    return Row(await scene.account("bob@example.com"), client=COMMAND, details=keys("source"))


@causes("account.updated")
async def ann_takes_a_name(scene: Scene) -> Row:
    await scene.by_ann("update_me", username="ann")
    return anns(scene, "changed")


@causes("account.disabled")
async def ann_is_shut(scene: Scene) -> Row:
    await scene.by_root("disable")
    return roots(scene)


@causes("account.disabled")
async def ann_is_shut_by_a_program(scene: Scene) -> Row:
    made = await scene.ask("create_api_key", scene.auth.caller(scene.roots), name="x", scope="admin")
    program = Identity(str(scene.root), str(made.id), "admin", "api_key")
    await scene.ask("admin.disable", Caller(identity=program, client=CLIENT), id=scene.ann)
    return Row(scene.ann, scene.root, details=keys("actor_api_key"))


@causes("account.enabled")
async def ann_is_opened(scene: Scene) -> Row:
    await scene.by_root("disable")
    await scene.by_root("enable")
    return roots(scene)


@causes("account.deleted")
async def ann_is_deleted(scene: Scene) -> Row:
    await scene.by_root("delete")
    return roots(scene)


@causes("account.deleted")
async def ann_goes(scene: Scene) -> Row:
    await scene.by_ann("delete_me")
    return Row(scene.ann, scene.ann, details=keys("actor_session"))


@causes("account.exported")
async def ann_is_exported(scene: Scene) -> Row:
    await scene.by_root("export")
    return roots(scene)


@causes("role.given")
async def ann_becomes_an_editor(scene: Scene) -> Row:
    await scene.by_root("give_role", role="editor")
    return roots(scene, "role")


@causes("role.taken")
async def ann_is_an_editor_no_more(scene: Scene) -> Row:
    await scene.by_root("give_role", role="editor")
    await scene.by_root("take_role", role="editor")
    return roots(scene, "role")


@causes("factors.reset")
async def ann_loses_her_factors(scene: Scene) -> Row:
    await scene.by_root("reset_factors")
    return roots(scene, "kinds")


async def login(scene: Scene, password: str = PASSWORD) -> TokenPair:
    tokens = await scene.ask("login", login="ann@example.com", password=password)
    assert isinstance(tokens, TokenPair)
    return tokens


@causes("login.failed")
async def somebody_guesses(scene: Scene) -> Row:
    with pytest.raises(InvalidCredentials):
        await login(scene, "wrong password")
    return Row(scene.ann)


@causes("login.throttled")
async def somebody_guesses_often(scene: Scene) -> Row:
    for expected in [InvalidCredentials] * 5 + [TooManyAttempts]:
        with pytest.raises(expected):
            await login(scene, "wrong password")
    return Row(scene.ann)


async def change(scene: Scene, password: str = PASSWORD) -> None:
    await scene.by_ann("change_password", current_password=password, new_password=ANOTHER)


@causes("login.throttled")
async def a_thief_of_the_session_guesses_often(scene: Scene) -> Row:
    for expected in [InvalidCredentials] * 5 + [TooManyAttempts]:
        with pytest.raises(expected):
            await change(scene, "wrong password")
    return anns(scene)


@causes("reauthentication.failed")
async def a_thief_of_the_session_guesses(scene: Scene) -> Row:
    with pytest.raises(InvalidCredentials):
        await change(scene, "wrong password")
    return anns(scene)


@causes("password.changed")
async def ann_chooses_another_password(scene: Scene) -> Row:
    await change(scene)
    return anns(scene)


@causes("session.started")
async def ann_signs_in(scene: Scene) -> Row:
    return Row(scene.ann, session=(await login(scene)).session_id)


@causes("session.started")
async def ann_signs_in_with_a_code(scene: Scene) -> Row:
    sent = await scene.ask("code", email="ann@example.com")
    request = {"request_id": sent.request_id, "code": await scene.mail.code()}
    return Row(scene.ann, session=(await scene.ask("code_confirm", **request)).session_id)


@causes("session.ended")
async def ann_leaves(scene: Scene) -> Row:
    await scene.by_ann("logout")
    return anns(scene, "reason")


@causes("session.ended")
async def ann_ends_another_session(scene: Scene) -> Row:
    other = (await login(scene)).session_id
    await scene.by_ann("logout_others")
    return Row(scene.ann, scene.ann, other, details=keys("reason", "actor_session"))


@causes("session.ended")
async def an_admin_ends_anns_session(scene: Scene) -> Row:
    await scene.by_root("end_sessions")
    return Row(scene.ann, scene.root, scene.mine.session_id, details=keys("reason", "actor_session"))


@causes("mail.requested")
async def somebody_asks_for_a_letter(scene: Scene) -> Row:
    await scene.ask("password_reset", email="ann@example.com")
    return Row(scene.ann, details=keys("purpose"))


@causes("code.failed")
async def somebody_guesses_a_code(scene: Scene) -> Row:
    sent = await scene.ask("code", email="ann@example.com")
    with pytest.raises(CodeInvalid):
        await scene.ask("code_confirm", request_id=sent.request_id, code=other_than(await scene.mail.code()))
    return Row(scene.ann, details=keys("purpose"))


@causes("password.reset")
async def ann_has_forgotten_her_password(scene: Scene) -> Row:
    sent = await scene.ask("password_reset", email="ann@example.com")
    code = await scene.mail.code()
    await scene.ask("password_reset_confirm", request_id=sent.request_id, code=code, new_password=ANOTHER)
    return Row(scene.ann)


@causes("email.verified")
async def ann_shows_that_the_address_is_hers(scene: Scene) -> Row:
    sent = await scene.by_ann("verify")
    await scene.ask("verify_confirm", request_id=sent.request_id, code=await scene.mail.code())
    return Row(scene.ann)


@causes("email.changed")
async def ann_moves(scene: Scene) -> Row:
    sent = await scene.by_ann("change_email", email="ann@example.org")
    code = await scene.mail.code()
    await scene.by_ann("change_email_confirm", request_id=sent.request_id, code=code)
    return anns(scene)


@causes("mail.given_up")
async def a_letter_expires(scene: Scene) -> Row:
    await scene.mail.flows.relay.stop()
    await scene.ask("password_reset", email="ann@example.com")
    scene.auth.clock.advance(601)
    flows = mail_flows(scene.auth, scene.mail.sink.url)
    flows.relay.start()
    await scene.mail.settled()
    await flows.relay.stop()
    return Row(scene.ann, client=NOBODY, details=keys("letter", "reason"))


@causes("keys.created")
async def the_first_start(_scene: Scene) -> Row:
    return Row(client=NOBODY, details=keys("kid"))


@causes("keys.rotated")
async def an_operator_rotates(scene: Scene) -> Row:
    await scene.auth.keys.rotate(at_once=True, origin=OPERATOR)
    return Row(client=COMMAND, details=keys("kid"))


@causes("keys.rotation_asked")
async def an_operator_rotates_too_early(scene: Scene) -> Row:
    scene.auth.clock.advance(1)
    await scene.auth.keys.rotate(at_once=True, origin=OPERATOR)
    await scene.auth.keys.rotate(origin=OPERATOR)
    return Row(client=COMMAND, details=keys("kid"))


@causes("keys.revoked")
async def an_operator_revokes_a_key(scene: Scene) -> Row:
    (signing, *_) = [one.kid for one in await scene.auth.keys.states()]
    await scene.auth.keys.revoke(signing, origin=OPERATOR)
    return Row(client=COMMAND, details=keys("kid", "state"))


@causes("api_key.created")
async def ann_makes_a_key(scene: Scene) -> Row:
    await scene.by_ann("create_api_key", name="backup")
    return Row(scene.ann, scene.ann, details=keys("api_key", "actor_session"))


@causes("api_key.revoked")
async def ann_ends_a_key(scene: Scene) -> Row:
    made = await scene.by_ann("create_api_key", name="backup")
    await scene.by_ann("revoke_api_key", id=made.id)
    return Row(scene.ann, scene.ann, details=keys("api_key", "actor_session"))


@causes("service.created")
async def an_operator_makes_a_service(scene: Scene) -> Row:
    await scene.service()
    return Row(client=COMMAND, details=keys("client_id", "scope"))


async def sign_in(scene: Scene, client_id: UUID, secret: str) -> None:
    form: dict[str, Any] = {
        "grant_type": "client_credentials",
        "client_id": str(client_id),
        "client_secret": secret,
    }
    await scene.ask("token", **form)


@causes("service.signed_in")
async def a_service_signs_in(scene: Scene) -> Row:
    new = await scene.service()
    await sign_in(scene, new.client_id, new.client_secret)
    return Row(details=keys("client_id", "scope"))


@causes("service.sign_in_failed")
async def somebody_guesses_a_secret(scene: Scene) -> Row:
    new = await scene.service()
    with pytest.raises(ClientInvalid):
        await sign_in(scene, new.client_id, "wrong")
    return Row(details=keys("client_id"))


@causes("service.secret_replaced")
async def an_operator_replaces_a_secret(scene: Scene) -> Row:
    await scene.service()
    await scene.auth.rules.service_accounts.replace_secret("billing", OPERATOR)
    return Row(client=COMMAND, details=keys("client_id"))


@causes("service.disabled")
async def an_operator_shuts_a_service(scene: Scene) -> Row:
    await scene.service()
    await scene.auth.rules.service_accounts.disable("billing", OPERATOR)
    return Row(client=COMMAND, details=keys("client_id"))


def test_there_is_an_act_for_every_event() -> None:
    assert {event for event, _ in ACTS} == set(get_args(SecurityEvent))


@pytest.mark.parametrize(("event", "act"), ACTS, ids=[f"{event}: {act.__name__}" for event, act in ACTS])
async def test_the_whole_row_is_written(scene: Scene, event: str, act: Act) -> None:
    wanted = await act(scene)
    row = (
        await scene.auth.rows(
            "SELECT * FROM auth.audit_log WHERE event = :event ORDER BY id DESC LIMIT 1", event=event
        )
    )[0]
    written = Row(
        row.account_id,
        row.actor_id,
        row.session_id,
        Client(row.ip, row.user_agent),
        frozenset(row.details),
    )
    assert written == wanted
