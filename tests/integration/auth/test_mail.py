"""The e-mail flows against a real PostgreSQL and a real mail server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator
from contextlib import contextmanager
from hashlib import md5, sha1, sha256, sha512

import pytest
from sqlalchemy import event

from libs.auth import MailFlows, MailSettings, NoMailServer, ProcessStore, Rates, ThrottleSettings
from libs.auth.callers import Origin
from libs.auth.mail import codes
from libs.domain.auth import (
    AccountExists,
    ByMail,
    ChangeEmailRequest,
    CodeInvalid,
    CodeSent,
    EmailUnverified,
    EmailVerified,
    InvalidCredentials,
    LoginRequest,
    MailOff,
    RefreshInvalid,
    RefreshRequest,
    RegisterRequest,
    SessionEnded,
    SignInTooOld,
    TooManyAttempts,
)
from libs.infra.smtp import Smtp, SmtpSettings
from libs.messaging import AppError, Caller, Client, Empty, ValidationFailed
from tests.fixtures.accounts import FROM_CLIENT, PASSWORD
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.mail import (
    NEW_PASSWORD,
    SECRET,
    SPEAKING_RUSSIAN,
    MailWorld,
    code_in,
    confirm,
    mail_world,
    other_than,
)
from tests.fixtures.services import SessionServices

ENDED = (SessionEnded, RefreshInvalid)


async def device_of(world: MailWorld, email: str) -> str:
    """What a device keeps on which somebody registered and signed in."""
    await world.auth.register(email)
    request = LoginRequest(login=email, password=PASSWORD)
    return (await world.auth.accounts.login(request, FROM_CLIENT)).device_token


async def ends(world: MailWorld, refresh_token: str) -> bool:
    """Whether the session of this token is over."""
    try:
        await world.auth.sessions.refresh(RefreshRequest(refresh_token=refresh_token), FROM_CLIENT)
    except ENDED:
        return True
    return False


class TestReset:
    async def test_a_code_gives_a_new_password_and_ends_every_session(self, mail: MailWorld) -> None:
        await mail.auth.register()
        before = await mail.auth.login()
        sent = await mail.ask_reset("ANN@example.com")
        await mail.reset(sent, await mail.code())

        assert await ends(mail, before.refresh_token)
        with pytest.raises(InvalidCredentials):
            await mail.auth.login()
        tokens = await mail.auth.login(password=NEW_PASSWORD)
        assert (await mail.auth.accounts.me(Empty(), mail.auth.caller(tokens))).email_verified
        (told,) = await mail.mail()
        assert "your password was changed" in told.subject
        assert "192.0.2.7" in told.body("plain")
        ((reason,),) = await mail.auth.rows(
            "SELECT end_reason FROM auth.sessions WHERE id = :id", id=before.session_id
        )
        assert reason == "password_reset"

    async def test_a_code_is_for_one_use(self, mail: MailWorld) -> None:
        await mail.auth.register()
        sent = await mail.ask_reset()
        code = await mail.code()
        await mail.reset(sent, code)
        with pytest.raises(CodeInvalid):
            await mail.reset(sent, code)

    async def test_of_many_at_once_one_wins(self, mail: MailWorld) -> None:
        await mail.auth.register()
        sent = await mail.ask_reset()
        code = await mail.code()
        outcomes = await asyncio.gather(
            *(mail.reset(sent, code, f"kettle number {one}") for one in range(5)), return_exceptions=True
        )
        assert sum(one is None for one in outcomes) == 1
        assert sum(isinstance(one, CodeInvalid) for one in outcomes) == 4

    async def test_a_code_is_good_for_ten_minutes(self, mail: MailWorld) -> None:
        await mail.auth.register()
        sent = await mail.ask_reset()
        assert sent.expires_in == 600
        code = await mail.code()
        mail.auth.clock.advance(601)
        with pytest.raises(CodeInvalid):
            await mail.reset(sent, code)

    async def test_a_code_opens_only_the_request_it_was_sent_for(self, mail: MailWorld) -> None:
        await mail.auth.register()
        mine, code = await mail.ask_reset(), await mail.code()
        thiefs = await mail.ask_reset()
        with pytest.raises(CodeInvalid):
            await mail.reset(thiefs, code)
        with pytest.raises(CodeInvalid):
            await mail.verify(mine, code)
        with pytest.raises(CodeInvalid):
            await mail.flows.code_sign_in.confirm(confirm(mine, code), FROM_CLIENT)
        await mail.reset(mine, code)

    async def test_five_attempts_and_no_more(self, mail: MailWorld) -> None:
        await mail.auth.register()
        sent = await mail.ask_reset()
        code = await mail.code()
        for _ in range(5):
            with pytest.raises(CodeInvalid):
                await mail.reset(sent, other_than(code))
        with pytest.raises(CodeInvalid):
            await mail.reset(sent, code)
        failures = await mail.auth.rows("SELECT 1 FROM auth.audit_log WHERE event = 'code.failed'")
        assert len(failures) == 5

    async def test_wrong_codes_are_counted_over_all_requests(
        self, database: MigratedDatabase, services: SessionServices
    ) -> None:
        async with mail_world(database, services.mail, failures=7) as mail:
            await mail.auth.register()
            for _ in range(2):
                sent = await mail.ask_reset()
                code = await mail.code()
                for _ in range(3):
                    with pytest.raises(CodeInvalid):
                        await mail.reset(sent, other_than(code))
            sent = await mail.flows.code_sign_in.ask(ByMail(email="ann@example.com"), FROM_CLIENT)
            code = await mail.code()
            with pytest.raises(CodeInvalid):
                await mail.flows.code_sign_in.confirm(confirm(sent, other_than(code)), FROM_CLIENT)
            with pytest.raises(CodeInvalid):
                await mail.flows.code_sign_in.confirm(confirm(sent, code), FROM_CLIENT)

    async def test_whoever_guesses_keeps_no_owner_out(
        self, database: MigratedDatabase, services: SessionServices
    ) -> None:
        """The next letters carry a code that is too long to be guessed."""
        async with mail_world(database, services.mail, failures=5) as mail:
            await mail.auth.register()
            owners, short = await mail.ask_reset(), await mail.code()
            thiefs, guessed = await mail.ask_reset(), await mail.code()
            for _ in range(5):
                with pytest.raises(CodeInvalid):
                    await mail.reset(thiefs, other_than(guessed))
            with pytest.raises(CodeInvalid):
                await mail.reset(owners, short)

            owners, long = await mail.ask_reset(), await mail.code()
            assert len(codes.typed(long)) == 20
            for wrong in (long.replace(" ", "")[:8], other_than(long), other_than(long)):
                with pytest.raises(CodeInvalid):
                    await mail.reset(owners, wrong)
            await mail.reset(owners, long)
            await mail.mail()  # that the password was changed
            sent = await mail.flows.code_sign_in.ask(ByMail(email="ann@example.com"), FROM_CLIENT)
            await mail.flows.code_sign_in.confirm(confirm(sent, await mail.code()), FROM_CLIENT)
            caller = mail.auth.caller(await mail.auth.login(password=NEW_PASSWORD))
            change = ChangeEmailRequest(email="ann@example.net")
            await mail.flows.address_change.ask(change, caller)
            assert len(codes.typed(await mail.code())) == 8  # it is another address

    async def test_of_a_long_code_five_are_tried_and_no_more(
        self, database: MigratedDatabase, services: SessionServices
    ) -> None:
        async with mail_world(database, services.mail, failures=1) as mail:
            await mail.auth.register()
            sent = await mail.ask_reset()
            with pytest.raises(CodeInvalid):
                await mail.reset(sent, other_than(await mail.code()))
            sent = await mail.ask_reset()
            code = await mail.code()
            for _ in range(5):
                with pytest.raises(CodeInvalid):
                    await mail.reset(sent, other_than(code))
            with pytest.raises(CodeInvalid):
                await mail.reset(sent, code)

    async def test_nobodys_address_is_counted_like_somebodys(
        self, database: MigratedDatabase, services: SessionServices
    ) -> None:
        """An address at which codes were guessed has a long one in its first letter, too."""
        async with mail_world(database, services.mail, failures=2) as mail:
            sent = await mail.ask_reset()
            for _ in range(3):
                with pytest.raises(CodeInvalid):
                    await mail.reset(sent, "12345678")
            await mail.auth.register()
            await mail.ask_reset()
            assert len(codes.typed(await mail.code())) == 20

    async def test_a_right_code_forgets_the_wrong_ones(
        self, database: MigratedDatabase, services: SessionServices
    ) -> None:
        async with mail_world(database, services.mail, failures=3) as mail:
            await mail.auth.register()
            for _ in range(3):
                sent = await mail.ask_reset()
                code = await mail.code()
                for _ in range(2):
                    with pytest.raises(CodeInvalid):
                        await mail.reset(sent, other_than(code))
                await mail.reset(sent, code)
                await mail.mail()

    async def test_what_is_confirmed_closes_every_other_request(self, mail: MailWorld) -> None:
        await mail.auth.register()
        first, first_code = await mail.ask_reset(), await mail.code()
        second, second_code = await mail.ask_reset(), await mail.code()
        await mail.reset(second, second_code)
        with pytest.raises(CodeInvalid):
            await mail.reset(first, first_code)

    async def test_a_weak_password_costs_no_code(self, mail: MailWorld) -> None:
        await mail.auth.register()
        sent = await mail.ask_reset()
        code = await mail.code()
        with pytest.raises(ValidationFailed) as refused:
            await mail.reset(sent, code, "password1")
        assert [one.field for one in refused.value.errors] == ["new_password"]
        await mail.reset(sent, code)

    async def test_a_wrong_code_costs_no_hash(self, mail: MailWorld) -> None:
        await mail.auth.register()
        sent = await mail.ask_reset()
        computed = hashes(mail)
        with pytest.raises(CodeInvalid):
            await mail.reset(sent, other_than(await mail.code()))
        assert computed == []

    async def test_an_account_that_was_shut_meanwhile_is_not_reset(self, mail: MailWorld) -> None:
        await mail.auth.register()
        sent = await mail.ask_reset()
        code = await mail.code()
        await mail.auth.closing.disable_by_login("ann@example.com", Origin())
        with pytest.raises(CodeInvalid):
            await mail.reset(sent, code)


def hashes(mail: MailWorld) -> list[object]:
    """Grows with every hash that is computed from now on."""
    computed: list[object] = []
    run = mail.auth.pool.run

    async def counting(*args: object) -> object:
        computed.append(None)
        return await run(*args)  # type: ignore[arg-type]  # passed on as it came

    mail.auth.pool.run = counting  # type: ignore[method-assign,assignment]  # counts, and changes nothing
    return computed


@contextmanager
def own_statements(mail: MailWorld) -> Generator[list[str]]:
    """The statements of this block, but for those of the outbox, which is relayed meanwhile."""
    found: list[str] = []
    database = mail.auth.database
    engines = [pool.engine.sync_engine for pool in (database._statements, database._transactions)]

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "auth." in statement and "outbox" not in statement:
            found.append(statement)

    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


class TestEnumeration:
    async def test_unknown_addresses_cost_the_same_statements_and_answers(self, mail: MailWorld) -> None:
        await mail.auth.register()
        seen: dict[str, tuple[list[str], set[str]]] = {}
        await mail.flows.relay.stop()
        computed = hashes(mail)
        for email in ("nobody@example.com", "ann@example.com"):
            with own_statements(mail) as statements:
                sent = await mail.ask_reset(email)
            seen[email] = (statements, set(sent.model_dump()))
        assert seen["nobody@example.com"] == seen["ann@example.com"]
        assert seen["ann@example.com"][1] == {"request_id", "expires_in"}
        assert computed == []

    async def test_nobody_gets_mail_and_no_code_confirms_it(self, mail: MailWorld) -> None:
        sent = await mail.ask_reset("nobody@example.com")
        await mail.settled()
        assert mail.fresh() == []
        with pytest.raises(CodeInvalid):
            await mail.reset(sent, "1234 5678")

    async def test_a_shut_account_is_nobody(self, mail: MailWorld) -> None:
        await mail.auth.register()
        await mail.auth.closing.disable_by_login("ann@example.com", Origin())
        await mail.ask_reset()
        await mail.settled()
        assert mail.fresh() == []

    async def test_the_database_tells_neither_codes_nor_addresses(self, mail: MailWorld) -> None:
        await mail.auth.register()
        await mail.flows.relay.stop()
        sent = await mail.ask_reset()
        rows = [
            *await mail.auth.rows("SELECT * FROM auth.mail_requests"),
            *await mail.auth.rows("SELECT * FROM auth.letters"),
            *await mail.auth.rows("SELECT details, event FROM auth.audit_log"),
            *await mail.auth.rows("SELECT body FROM auth.outbox WHERE name = 'auth.audited'"),
        ]
        assert len(rows) >= 4
        assert "ann@" not in repr(rows)
        assert sent.request_id not in repr(rows)

        mail.flows.relay.start()
        code = codes.typed(await mail.code())
        kept = [value for row in rows for value in row if isinstance(value, bytes)]
        assert code not in repr(rows)
        assert kept
        for guess in (code, codes.shown(code)):
            for digest in (sha1, sha256, sha512, md5):
                assert digest(guess.encode()).digest() not in kept


class TestRates:
    async def test_one_address_is_asked_for_so_often_known_or_not(
        self, database: MigratedDatabase, services: SessionServices
    ) -> None:
        async with mail_world(database, services.mail, address_per_hour=2) as world:
            await world.auth.register()
            for email in ("ann@example.com", "nobody@example.com"):
                await world.ask_reset(email)
                await world.ask_reset(email.upper())
                with pytest.raises(TooManyAttempts) as refused:
                    await world.ask_reset(email)
                assert 0 < (refused.value.retry_after or 0) <= 3600

    async def test_one_client_asks_so_often(
        self, database: MigratedDatabase, services: SessionServices
    ) -> None:
        async with mail_world(database, services.mail, client_per_hour=2) as world:
            await world.ask_reset("one@example.com")
            await world.ask_reset("two@example.com")
            with pytest.raises(TooManyAttempts):
                await world.ask_reset("three@example.com")
            await world.ask_reset("three@example.com", Caller(client=Client("198.51.100.1")))

    async def test_who_asks_from_one_place_keeps_nobody_elsewhere_from_asking(
        self, database: MigratedDatabase, services: SessionServices
    ) -> None:
        """An IPv6 network is one place, and what is refused takes no turn of the others."""
        async with mail_world(database, services.mail, address_per_hour=2, address_total_per_hour=4) as world:
            for host in range(1, 7):
                stranger = Caller(client=Client(f"2001:db8::{host}"))
                if host <= 2:
                    await world.ask_reset(caller=stranger)
                    continue
                with pytest.raises(TooManyAttempts):
                    await world.ask_reset(caller=stranger)
            for _ in range(2):
                await world.ask_reset()

    async def test_from_however_many_places_one_address_is_asked_for_only_so_often(
        self, database: MigratedDatabase, services: SessionServices
    ) -> None:
        async with mail_world(database, services.mail, address_per_hour=2, address_total_per_hour=4) as world:
            device_token = await device_of(world, "ann@example.com")
            for email in ("ann@example.com", "nobody@example.com"):
                for host in range(1, 5):
                    await world.ask_reset(email, Caller(client=Client(f"198.51.100.{host}")))
                for caller in (FROM_CLIENT, Caller(client=Client())):
                    with pytest.raises(TooManyAttempts) as refused:
                        await world.ask_reset(email, caller)
                    assert 0 < (refused.value.retry_after or 0) <= 900
            asked = ByMail(email="ann@example.com", device_token=device_token)
            assert (await world.flows.password_reset.ask(asked, FROM_CLIENT)).request_id

    async def test_strangers_cannot_keep_a_known_device_from_asking(
        self, database: MigratedDatabase, services: SessionServices
    ) -> None:
        async with mail_world(database, services.mail, address_per_hour=2) as world:
            ann, bob = await device_of(world, "ann@example.com"), await device_of(world, "bob@example.com")
            for _ in range(2):
                await world.ask_reset()
            asked = ByMail(email="ann@example.com", device_token=ann)
            stranger = ByMail(email="ann@example.com", device_token=bob)
            for _ in range(2):
                await world.flows.password_reset.ask(asked, FROM_CLIENT)
            for refused in (stranger, asked):  # the device has a rate, too
                with pytest.raises(TooManyAttempts):
                    await world.flows.password_reset.ask(refused, FROM_CLIENT)
            nobody = ByMail(email="nobody@example.com", device_token=ann)
            await world.flows.password_reset.ask(nobody, FROM_CLIENT)


class TestSignIn:
    async def test_a_code_signs_in(self, mail: MailWorld) -> None:
        account = await mail.auth.register()
        sent = await mail.flows.code_sign_in.ask(ByMail(email="ann@example.com"), FROM_CLIENT)
        (one,) = await mail.mail()
        code = code_in(one)
        tokens = await mail.flows.code_sign_in.confirm(confirm(sent, code), FROM_CLIENT)
        claims = mail.auth.keys.verifier.verify(tokens.access_token)
        assert (claims.sub, claims.amr) == (str(account.id), ("otp",))
        login = await mail.auth.storage.login("ann@example.com")
        assert mail.auth.rules.devices.known(tokens.device_token, login)
        with pytest.raises(CodeInvalid):
            await mail.flows.code_sign_in.confirm(confirm(sent, code), FROM_CLIENT)

    async def test_whoever_registered_the_address_before_its_owner_is_out(self, mail: MailWorld) -> None:
        await mail.auth.register()
        thief = await mail.auth.login()
        sent = await mail.flows.code_sign_in.ask(ByMail(email="ann@example.com"), FROM_CLIENT)
        owner = await mail.flows.code_sign_in.confirm(confirm(sent, await mail.code()), FROM_CLIENT)

        assert await ends(mail, thief.refresh_token)
        assert not await ends(mail, owner.refresh_token)
        with pytest.raises(InvalidCredentials):
            await mail.auth.login()
        (told,) = await mail.mail()
        assert "your old password is gone" in told.subject

    async def test_once_verified_nothing_is_lost_by_it(self, mail: MailWorld) -> None:
        await mail.auth.register()
        await mail.reset(await mail.ask_reset(), await mail.code())
        await mail.mail()
        before = await mail.auth.login(password=NEW_PASSWORD)
        sent = await mail.flows.code_sign_in.ask(ByMail(email="ann@example.com"), FROM_CLIENT)
        await mail.flows.code_sign_in.confirm(confirm(sent, await mail.code()), FROM_CLIENT)
        assert not await ends(mail, before.refresh_token)
        assert (await mail.auth.login(password=NEW_PASSWORD)).refresh_token


class TestVerify:
    async def test_a_code_verifies_the_address_and_ends_the_sessions(self, mail: MailWorld) -> None:
        await mail.auth.register()
        before = await mail.auth.login()
        sent = await mail.flows.verification.ask(Empty(), mail.auth.caller(before))
        await mail.verify(sent, await mail.code())

        assert await ends(mail, before.refresh_token)
        tokens = await mail.auth.login()
        caller = mail.auth.caller(tokens)
        assert (await mail.auth.accounts.me(Empty(), caller)).email_verified
        with pytest.raises(EmailVerified):
            await mail.flows.verification.ask(Empty(), caller)
        rows = await mail.auth.rows("SELECT 1 FROM auth.audit_log WHERE event = 'email.verified'")
        assert len(rows) == 1

    async def test_letters_come_in_the_language_of_the_account_else_of_the_request(
        self, mail: MailWorld
    ) -> None:
        await mail.auth.register()
        await mail.ask_reset(caller=SPEAKING_RUSSIAN)
        (asked,) = await mail.mail()
        await mail.auth.rows("""UPDATE auth.accounts SET metadata = '{"locale": "en-GB"}' RETURNING 1""")
        await mail.ask_reset(caller=SPEAKING_RUSSIAN)
        (own,) = await mail.mail()
        assert asked.message["Content-Language"] == "ru"
        assert "пароль" in asked.body("plain")
        assert own.message["Content-Language"] == "en"
        assert "password" in own.body("html")


class TestChange:
    async def change(self, mail: MailWorld, caller: Caller, email: str, password: str | None) -> CodeSent:
        request = ChangeEmailRequest(email=email, password=password)
        return await mail.flows.address_change.ask(request, caller)

    async def test_it_is_confirmed_at_the_new_address_and_told_to_the_old_one(self, mail: MailWorld) -> None:
        await mail.auth.register()
        other, mine = await mail.auth.login(), await mail.auth.login()
        caller = mail.auth.caller(mine)
        sent = await self.change(mail, caller, "Ann@New.example", PASSWORD)
        (asked,) = await mail.mail()
        assert asked.recipient == "Ann@New.example"
        code = code_in(asked)
        await mail.flows.address_change.confirm(confirm(sent, code), caller)

        (told,) = await mail.mail()
        assert told.recipient == "ann@example.com"
        assert "Ann@New.example" in told.body("plain")
        account = await mail.auth.accounts.me(Empty(), caller)
        assert (account.email, account.email_verified) == ("Ann@New.example", True)
        assert await ends(mail, other.refresh_token)
        assert not await ends(mail, mine.refresh_token)
        assert (await mail.auth.login("ann@new.example")).refresh_token

    async def test_a_taken_address_is_told_to_its_owner_alone(self, mail: MailWorld) -> None:
        await mail.auth.register()
        await mail.auth.register("bob@example.com")
        caller = mail.auth.caller(await mail.auth.login())
        sent = await self.change(mail, caller, "bob@example.com", PASSWORD)
        (told,) = await mail.mail()
        assert told.recipient == "bob@example.com"
        assert "already" in told.subject
        with pytest.raises(CodeInvalid):
            await mail.flows.address_change.confirm(confirm(sent, "1234 5678"), caller)

    async def test_an_address_that_was_taken_meanwhile_stays_with_its_account(self, mail: MailWorld) -> None:
        await mail.auth.register()
        caller = mail.auth.caller(await mail.auth.login())
        sent = await self.change(mail, caller, "bob@example.com", PASSWORD)
        code = await mail.code()
        await mail.auth.register("bob@example.com")
        with pytest.raises(AccountExists):
            await mail.flows.address_change.confirm(confirm(sent, code), caller)

    async def test_it_asks_for_the_password_or_a_recent_sign_in(self, mail: MailWorld) -> None:
        await mail.auth.register()
        caller = mail.auth.caller(await mail.auth.login())
        with pytest.raises(InvalidCredentials):
            await self.change(mail, caller, "new@example.com", "wrong password")
        await self.change(mail, caller, "new@example.com", None)
        mail.auth.clock.advance(mail.auth.session_settings.recent_seconds + 1)
        with pytest.raises(SignInTooOld):
            await self.change(mail, caller, "new@example.com", None)

    async def test_another_account_cannot_confirm_it(self, mail: MailWorld) -> None:
        await mail.auth.register()
        await mail.auth.register("bob@example.com")
        ann = mail.auth.caller(await mail.auth.login())
        bob = mail.auth.caller(await mail.auth.login("bob@example.com"))
        sent = await self.change(mail, ann, "new@example.com", PASSWORD)
        code = await mail.code()
        with pytest.raises(CodeInvalid):
            await mail.flows.address_change.confirm(confirm(sent, code), bob)


class TestRequired:
    ANN = RegisterRequest(email="ann@example.com", password=PASSWORD, username="ann")
    THIEF = RegisterRequest(email="ann@example.com", password="nine red lanterns", username="mallory")

    async def register(self, world: MailWorld, request: RegisterRequest) -> CodeSent:
        sent = (await world.flows.registration.register(request, FROM_CLIENT)).root
        assert isinstance(sent, CodeSent)
        return sent

    async def accounts(self, world: MailWorld) -> list[str]:
        return [email for (email,) in await world.auth.rows("SELECT email FROM auth.accounts ORDER BY email")]

    async def announced(self, world: MailWorld) -> list[str]:
        """The accounts that were told of, also those that the relay has not brought to the broker yet."""
        told = await world.auth.rows("SELECT body FROM auth.outbox WHERE name = 'auth.account.registered'")
        return sorted(json.loads(bytes(body))["email"] for (body,) in told)

    async def test_an_account_is_used_once_its_address_is_verified(
        self, database: MigratedDatabase, services: SessionServices
    ) -> None:
        async with mail_world(database, services.mail, verification="required") as world:
            sent = await self.register(world, self.ANN)
            for password in (PASSWORD, "wrong password"):
                with pytest.raises(InvalidCredentials):
                    await world.auth.login(password=password)
            await world.verify(sent, await world.code())
            account = await world.auth.accounts.me(Empty(), world.auth.caller(await world.auth.login("ann")))
            assert (account.username, account.email_verified) == ("ann", True)

    async def test_it_is_made_announced_and_written_down_when_it_is_confirmed(
        self, database: MigratedDatabase, services: SessionServices
    ) -> None:
        async with mail_world(database, services.mail, verification="required") as world:
            sent = await self.register(world, self.ANN)
            code = await world.code()
            assert (await self.accounts(world), await self.announced(world)) == ([], [])
            await world.verify(sent, code)
            assert await self.accounts(world) == await self.announced(world) == ["ann@example.com"]
            audited = await world.auth.rows(
                "SELECT a.event, a.ip, a.user_agent FROM auth.audit_log a JOIN auth.accounts o ON o.id = a.account_id "
                "ORDER BY a.id"
            )
            assert [row[0] for row in audited] == ["mail.requested", "account.registered", "email.verified"]
            assert {row[1:] for row in audited} == {("192.0.2.7", "tests")}

    async def test_of_many_confirmations_at_once_one_makes_the_account(
        self, database: MigratedDatabase, services: SessionServices
    ) -> None:
        async with mail_world(database, services.mail, verification="required") as world:
            first, first_code = await self.register(world, self.ANN), await world.code()
            second, second_code = await self.register(world, self.THIEF), await world.code()
            outcomes = await asyncio.gather(
                *(world.verify(first, first_code) for _ in range(4)),
                *(world.verify(second, second_code) for _ in range(4)),
                return_exceptions=True,
            )
            assert sum(one is None for one in outcomes) == 1
            assert sum(isinstance(one, CodeInvalid) for one in outcomes) == 7
            assert await self.accounts(world) == await self.announced(world) == ["ann@example.com"]

    async def test_until_then_the_address_is_nobodys(
        self, database: MigratedDatabase, services: SessionServices
    ) -> None:
        """No code signs in to it and none resets a password; whoever makes an account for it is not in the way."""
        async with mail_world(database, services.mail, verification="required") as world:
            sent, code = await self.register(world, self.ANN), await world.code()
            signing_in = await world.flows.code_sign_in.ask(ByMail(email="ann@example.com"), FROM_CLIENT)
            await world.ask_reset()
            await world.settled()
            assert world.fresh() == []
            with pytest.raises(CodeInvalid):
                await world.flows.code_sign_in.confirm(confirm(signing_in, code), FROM_CLIENT)
            await world.auth.register()
            with pytest.raises(CodeInvalid):
                await world.verify(sent, code)
            assert await self.announced(world) == ["ann@example.com"]

    async def kept(self, world: MailWorld, one: bytes) -> bool:
        """Whether any row of any table holds this, as text or as bytes, which show in hexadecimal."""
        tables = await world.auth.rows(
            "SELECT query_to_xml('SELECT row_to_json(t)::text FROM auth.' || table_name || ' t', true, false, '')::text "
            "FROM information_schema.tables WHERE table_schema = 'auth'"
        )
        return any(one.hex() in text or repr(one)[2:-1] in text for (text,) in tables)

    async def test_of_whom_somebody_else_registered_nothing_is_kept(
        self, database: MigratedDatabase, services: SessionServices
    ) -> None:
        async with mail_world(database, services.mail, verification="required") as world:
            sent, code = await self.register(world, self.ANN), await world.code()
            await world.settled()
            address = b"ann@example.com"
            hashed = codes.address_hash(address.decode())
            assert [await self.kept(world, one) for one in (address, hashed)] == [False, True]
            world.auth.clock.advance(601)
            with pytest.raises(CodeInvalid):
                await world.verify(sent, code)
            async with world.auth.storage.transaction() as stored:
                await stored.housekeeping.mail_requests(world.auth.clock.now(), 100)
            assert not await self.kept(world, hashed)

            await world.auth.register()  # of whom something is kept is found by this
            assert await self.kept(world, address)

    async def test_registering_costs_the_same_statements_whosever_the_address_is(
        self, database: MigratedDatabase, services: SessionServices
    ) -> None:
        async with mail_world(database, services.mail, verification="required") as world:
            await world.auth.register("bob@example.com")
            await world.auth.register("shut@example.com")
            await world.auth.closing.disable_by_login("shut@example.com", Origin())
            await world.flows.relay.stop()
            seen, computed = [], hashes(world)
            for name in ("nobody", "bob", "shut"):
                with own_statements(world) as statements:
                    await self.register(
                        world, RegisterRequest(email=f"{name}@example.com", password=PASSWORD, username="ann")
                    )
                seen.append(statements)
            assert seen[0] == seen[1] == seen[2] != []
            assert len(computed) == 3
            world.flows.relay.start()
            assert {one.recipient for one in await world.mail(2)} == {"nobody@example.com", "bob@example.com"}
            await world.settled()
            assert world.fresh() == []

    async def test_a_sign_in_does_not_tell_who_registers_whether_the_address_was_taken(
        self, database: MigratedDatabase, services: SessionServices
    ) -> None:
        async with mail_world(database, services.mail, verification="required") as world:
            await world.verify(await self.register(world, self.ANN), await world.code())
            answers = []
            for email in ("ann@example.com", "nobody@example.com"):
                await self.register(world, RegisterRequest(email=email, password="nine red lanterns"))
                with pytest.raises(AppError) as refused:
                    await world.auth.login(email, "nine red lanterns")
                answers.append(refused.value.code)
            assert answers == ["auth.invalid_credentials"] * 2

    async def test_an_account_from_before_is_opened_by_whoever_reads_its_mail(
        self, database: MigratedDatabase, services: SessionServices
    ) -> None:
        """Not by registering it once more: it was announced when it was made."""
        async with mail_world(database, services.mail, verification="required") as world:
            await world.auth.register()
            with pytest.raises(EmailUnverified):
                await world.auth.login()
            sent = await self.register(world, self.THIEF)
            (told,) = await world.mail()
            assert "you have an account already" in told.subject
            with pytest.raises(CodeInvalid):
                await world.verify(sent, "1234 5678")
            await world.reset(await world.ask_reset(), await world.code())
            assert (await world.auth.login(password=NEW_PASSWORD)).refresh_token
            assert await self.announced(world) == ["ann@example.com"]

    async def test_of_several_who_register_an_address_its_owner_gets_it(
        self, database: MigratedDatabase, services: SessionServices
    ) -> None:
        async with mail_world(database, services.mail, verification="required") as world:
            thiefs = await self.register(world, self.THIEF)
            thiefs_code = await world.code()
            mine = await self.register(world, self.ANN)
            await world.verify(mine, await world.code())
            assert (await world.auth.login("ann")).refresh_token
            with pytest.raises(InvalidCredentials):
                await world.auth.login(password="nine red lanterns")
            with pytest.raises(CodeInvalid):
                await world.verify(thiefs, thiefs_code)

    async def test_a_taken_address_gets_the_same_answer_and_its_owner_a_letter(
        self, database: MigratedDatabase, services: SessionServices
    ) -> None:
        async with mail_world(database, services.mail, verification="required") as world:
            await world.verify(await self.register(world, self.ANN), await world.code())
            sent = await self.register(world, self.THIEF)
            (told,) = await world.mail()
            assert "you have an account already" in told.subject
            with pytest.raises(CodeInvalid):
                await world.verify(sent, "1234 5678")
            assert (await world.auth.login()).refresh_token

    async def test_a_username_that_is_taken_by_then_is_told_and_nothing_is_made(
        self, database: MigratedDatabase, services: SessionServices
    ) -> None:
        async with mail_world(database, services.mail, verification="required") as world:
            bob = RegisterRequest(email="bob@example.com", password=PASSWORD, username="ann")
            await world.verify(await self.register(world, self.ANN), await world.code())
            sent, code = await self.register(world, bob), await world.code()
            with pytest.raises(AccountExists):
                await world.verify(sent, code)
            assert await self.accounts(world) == await self.announced(world) == ["ann@example.com"]

            other = bob.model_copy(update={"username": "bob"})
            await world.verify(await self.register(world, other), await world.code())
            tokens = await world.auth.login("bob")
            me = await world.auth.accounts.me(Empty(), world.auth.caller(tokens))
            assert (me.email, me.username) == ("bob@example.com", "bob")


async def test_without_a_mail_server_nothing_is_asked_for(mail: MailWorld) -> None:
    nowhere, rates = Smtp(SmtpSettings()), Rates(ProcessStore(), ThrottleSettings())
    flows = MailFlows.over(mail.auth.rules, MailSettings(), smtp=nowhere, rates=rates, secrets=[SECRET])
    with pytest.raises(MailOff):
        await flows.password_reset.ask(ByMail(email="ann@example.com"), FROM_CLIENT)
    required = MailSettings(verification="required")
    with pytest.raises(NoMailServer):
        MailFlows.over(mail.auth.rules, required, smtp=nowhere, rates=rates, secrets=[SECRET])
