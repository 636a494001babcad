"""What owners are written to about, and what becomes of API keys then, against a real PostgreSQL and a mail sink."""

from __future__ import annotations

import pytest

from libs.auth import MailFlows, MailSettings, ProcessStore, Rates, ThrottleSettings
from libs.auth.callers import Origin
from libs.domain.auth import (
    ApiKeyRef,
    ChangeEmailRequest,
    ChangePasswordRequest,
    CreateApiKeyRequest,
    InvalidCredentials,
    NewApiKey,
    SessionsRevoked,
    TooManyApiKeys,
    ValidateApiKeyRequest,
)
from libs.infra.smtp import Smtp, SmtpSettings
from libs.messaging import ANONYMOUS, Caller
from tests.fixtures.accounts import CLIENT, PASSWORD, AuthWorld
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.mail import NEW_PASSWORD, SECRET, MailWorld, mail_world
from tests.fixtures.services import SessionServices

KEY = CreateApiKeyRequest(name="backup")


async def signed_in(world: AuthWorld, email: str = "ann@example.com") -> Caller:
    await world.register(email)
    return world.caller(await world.login(email))


async def change(flows: MailFlows, caller: Caller, *, current: str = PASSWORD, **values: bool) -> None:
    request = ChangePasswordRequest(current_password=current, new_password=NEW_PASSWORD, **values)
    await flows.own_acts.change_password(request, caller)


async def is_good(world: AuthWorld, key: NewApiKey) -> bool:
    return (await world.rules.api_keys.validate(ValidateApiKeyRequest(key=key.key), ANONYMOUS)).active


def revoked(world: AuthWorld) -> set[object]:
    told = [one.body for one in world.bus.sent if one.name == "auth.session.revoked"]
    return {id_ for one in told for id_ in SessionsRevoked.model_validate_json(one).session_ids}


class TestPassword:
    async def test_a_reset_ends_api_keys(self, mail: MailWorld) -> None:
        key = await mail.flows.own_acts.create_api_key(KEY, await signed_in(mail.auth))
        await mail.mail()
        # Of a verified account, too, which nobody claims any more.
        sent = await mail.ask_reset()
        await mail.reset(sent, await mail.code())
        await mail.mail()
        another = await mail.flows.own_acts.create_api_key(
            KEY, mail.auth.caller(await mail.auth.login(password=NEW_PASSWORD))
        )
        await mail.mail()
        sent = await mail.ask_reset()
        await mail.reset(sent, await mail.code())
        for one in (key, another):
            assert not await is_good(mail.auth, one)
            assert one.id in revoked(mail.auth)
        rows = await mail.auth.rows("SELECT 1 FROM auth.audit_log WHERE event = 'api_key.revoked'")
        assert len(rows) == 2

    async def test_a_change_ends_api_keys_only_where_that_is_asked_for(self, mail: MailWorld) -> None:
        caller = await signed_in(mail.auth)
        key = await mail.flows.own_acts.create_api_key(KEY, caller)
        await change(mail.flows, caller)
        assert await is_good(mail.auth, key)
        await change(mail.flows, caller, current=NEW_PASSWORD, end_api_keys=True)
        assert not await is_good(mail.auth, key)
        assert key.id in revoked(mail.auth)

    async def test_a_change_is_told_to_the_owner(self, mail: MailWorld) -> None:
        caller = await signed_in(mail.auth)
        with pytest.raises(InvalidCredentials):
            await change(mail.flows, caller, current="wrong password")
        await change(mail.flows, caller)
        (letter,) = await mail.mail()
        assert letter.subject == "Gatehouse: your password was changed"
        assert "knew the old one" in letter.body("plain")
        assert CLIENT.ip in letter.body("plain")
        await mail.settled()
        assert mail.fresh() == []


class TestDeletion:
    async def test_a_letter_about_a_taken_address_goes_with_the_account_that_has_it(
        self, mail: MailWorld
    ) -> None:
        await mail.flows.relay.stop()
        caller, ann = await signed_in(mail.auth, "bob@example.com"), await mail.auth.register()
        wanted = ChangeEmailRequest(email=ann.email, password=PASSWORD)
        await mail.flows.address_change.ask(wanted, caller)
        assert await mail.letters_left() == 1
        assert await mail.auth.closing.delete(ann.id, Origin())
        assert await mail.letters_left() == 0


class TestApiKeys:
    async def test_a_new_one_is_told_to_the_owner(self, mail: MailWorld) -> None:
        caller = await signed_in(mail.auth)
        await mail.flows.own_acts.create_api_key(KEY, caller)
        (letter,) = await mail.mail()
        assert letter.subject == "Gatehouse: an API key was made"
        assert "backup" not in letter.body(
            "plain"
        )  # a name could be anything, in a mailbox that may be another's

    async def test_one_that_is_not_made_is_not_told(self, mail: MailWorld) -> None:
        caller = await signed_in(mail.auth)
        for _ in range(25):
            await mail.auth.rules.api_keys.create(KEY, caller)
        with pytest.raises(TooManyApiKeys):
            await mail.flows.own_acts.create_api_key(KEY, caller)
        assert await mail.letters_left() == 0
        assert mail.fresh() == []

    async def test_nobody_fills_a_mailbox_by_making_keys(
        self, database: MigratedDatabase, services: SessionServices
    ) -> None:
        async with mail_world(database, services.mail, address_per_hour=2) as world:
            caller = await signed_in(world.auth)
            for _ in range(4):
                key = await world.flows.own_acts.create_api_key(KEY, caller)
                await world.auth.rules.api_keys.revoke(ApiKeyRef(id=key.id), caller)
            await world.mail(2)
            await world.settled()
            assert world.fresh() == []

    async def test_without_a_mail_server_one_is_made_all_the_same(self, mail: MailWorld) -> None:
        rates = Rates(ProcessStore(), ThrottleSettings())
        nowhere = Smtp(SmtpSettings())
        flows = MailFlows.over(mail.auth.rules, MailSettings(), smtp=nowhere, rates=rates, secrets=[SECRET])
        key = await flows.own_acts.create_api_key(KEY, await signed_in(mail.auth))
        assert await is_good(mail.auth, key)
        assert await mail.letters_left() == 0
