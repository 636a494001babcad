"""Letters on their way: a mail server that is away, that refuses, and processes that end in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from pydantic import SecretStr

from libs.auth import MailFlows, MailSettings, ProcessStore, Rates, ThrottleSettings
from libs.infra.smtp import Smtp, SmtpSettings
from libs.messaging import Caller
from tests.fixtures.accounts import eventually
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.mail import SECRET, MailWorld, mail_world
from tests.fixtures.proxy import Proxy
from tests.fixtures.services import SessionServices


@pytest.fixture
async def proxied(
    database: MigratedDatabase, services: SessionServices
) -> AsyncIterator[tuple[MailWorld, Proxy]]:
    """A world whose mail server is behind a proxy."""
    sink = services.mail
    async with (
        Proxy.to(sink.url) as proxy,
        mail_world(database, sink, url=proxy.url(sink.url), timeout=0.5) as world,
    ):
        await world.auth.register()
        yield world, proxy


async def put_off(world: MailWorld) -> bool:
    """Whether the letter that waits was tried and is not being tried now."""
    rows = await world.auth.rows("SELECT attempts, not_before - created_at AS pause FROM auth.letters")
    return bool(rows) and rows[0].attempts >= 1 and rows[0].pause.total_seconds() < 2


def comes_with_time(world: MailWorld) -> bool:
    """Whether the letter has come; if not, time goes on, for on a busy machine a delivery may be late more than once."""
    if world.fresh():
        return True
    world.auth.clock.advance(0.1)
    return False


@pytest.mark.parametrize("way", ["refuses", "is silent"])
async def test_a_letter_waits_for_a_server_that_is_away(proxied: tuple[MailWorld, Proxy], way: str) -> None:
    world, proxy = proxied
    proxy.refuse = way == "refuses"
    proxy.swallow = way == "is silent"
    sent = await world.ask_reset()
    await eventually(lambda: put_off(world))
    assert world.fresh() == []

    proxy.refuse = proxy.swallow = False
    await eventually(lambda: comes_with_time(world))
    await world.reset(sent, await world.code())


async def test_a_letter_is_given_up_when_its_code_has_expired(proxied: tuple[MailWorld, Proxy]) -> None:
    world, proxy = proxied
    proxy.refuse = True
    await world.ask_reset()
    await eventually(lambda: put_off(world))
    world.auth.clock.advance(601)
    await world.settled()

    (row,) = await world.auth.rows("SELECT details FROM auth.audit_log WHERE event = 'mail.given_up'")
    assert row.details == {"letter": "reset", "reason": "expired"}
    proxy.refuse = False
    assert world.fresh() == []


async def test_what_a_process_left_in_the_middle_another_one_sends(
    database: MigratedDatabase, services: SessionServices
) -> None:
    async with mail_world(database, services.mail) as world:
        await world.auth.register()
        await world.flows.relay.stop()  # as if it had died: nobody sends what is committed from here on
        await world.ask_reset()
        async with (
            world.auth.storage.transaction() as stored
        ):  # another one took it, and died with it in hand
            taken = await stored.mail.take(world.auth.clock.now(), lease=timedelta(seconds=10), limit=8)
        assert len(taken) == 1

        second = flows_like(world)
        second.relay.start()
        try:
            world.auth.clock.advance(11)
            await world.code()
            await world.settled()
        finally:
            await second.relay.stop()


async def test_a_letter_that_cannot_be_opened_is_given_up(mail: MailWorld) -> None:
    await mail.auth.register()
    await mail.flows.relay.stop()
    await mail.ask_reset()
    other = flows_like(mail, secret=b"o" * 32)
    other.relay.start()
    try:
        await mail.settled()
    finally:
        await other.relay.stop()
    rows = await mail.auth.rows("SELECT details FROM auth.audit_log WHERE event = 'mail.given_up'")
    assert [row.details["reason"] for row in rows] == ["sealed with an unknown key"]


async def test_a_letter_that_cannot_be_addressed_is_given_up(mail: MailWorld) -> None:
    await mail.auth.register()
    await mail.auth.rows("UPDATE auth.accounts SET email = '=?utf-8?q?ann?=@example.com' RETURNING 1")
    await mail.ask_reset()
    await mail.settled()
    rows = await mail.auth.rows("SELECT details FROM auth.audit_log WHERE event = 'mail.given_up'")
    assert [row.details["reason"] for row in rows] == ["no header can carry this address"]


@pytest.mark.parametrize("email", ["аня@example.com", "ann@пример.рф"])
async def test_addresses_of_other_scripts_get_their_letters(mail: MailWorld, email: str) -> None:
    await mail.auth.register(email)
    sent = await mail.ask_reset(email)
    await mail.reset(sent, await mail.code())


async def test_two_processes_send_each_letter_once(mail: MailWorld) -> None:
    second = flows_like(mail)
    second.relay.start()
    await mail.auth.register()
    try:
        for _ in range(20):
            await mail.ask_reset(caller=Caller())
        await mail.settled()
    finally:
        await second.relay.stop()
    assert len(mail.fresh()) == 20
    assert len({one.message["Message-ID"] for one in mail.fresh()}) == 20


async def test_a_stop_sends_what_is_due(mail: MailWorld) -> None:
    await mail.auth.register()
    await mail.ask_reset()
    await mail.flows.relay.stop()
    assert await mail.letters_left() == 0
    assert len(mail.fresh()) == 1


async def test_the_sweeper_removes_what_has_expired(mail: MailWorld) -> None:
    await mail.auth.register()
    await mail.ask_reset()
    mail.auth.clock.advance(601)
    async with mail.auth.storage.transaction() as stored:
        assert await stored.housekeeping.mail_requests(mail.auth.clock.now(), 100) == 1
        assert await stored.housekeeping.mail_requests(mail.auth.clock.now(), 100) == 0


def flows_like(world: MailWorld, *, secret: bytes = SECRET) -> MailFlows:
    """The flows of a second process over the same database."""
    return MailFlows.over(
        world.auth.rules,
        MailSettings(address_per_hour=0, address_total_per_hour=0, client_per_hour=0),
        smtp=Smtp(SmtpSettings(url=SecretStr(world.sink.url), timeout=30)),
        rates=Rates(ProcessStore(), ThrottleSettings()),
        secrets=[secret],
    )
