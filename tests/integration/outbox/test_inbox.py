"""The inbox against a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from libs.auth.orm import INBOX
from libs.infra.database import Database, DatabaseSettings
from libs.messaging import new_message_id
from libs.outbox import Inbox
from tests.fixtures.database import MigratedDatabase


@pytest.fixture
async def opened(database: MigratedDatabase) -> AsyncIterator[Database]:
    made = await Database.open(DatabaseSettings(url=SecretStr(database.url)), application="tests")
    yield made
    await made.close()


async def test_a_message_is_new_once_for_each_listener(opened: Database) -> None:
    inbox, message_id = Inbox(INBOX), new_message_id()
    seen = []
    for listener in ("mail", "mail", "search"):
        async with opened.transaction() as session:
            seen.append(await inbox.first_time(session, listener=listener, message_id=message_id))
    assert seen == [True, False, True]


async def test_a_message_whose_effects_were_undone_is_new_again(opened: Database) -> None:
    inbox, message_id = Inbox(INBOX), new_message_id()

    async def fail() -> None:
        async with opened.transaction() as session:
            await inbox.first_time(session, listener="mail", message_id=message_id)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with opened.transaction() as session:
        assert await inbox.first_time(session, listener="mail", message_id=message_id)


async def test_of_two_deliveries_at_once_one_is_the_first(opened: Database) -> None:
    inbox, message_id = Inbox(INBOX), new_message_id()

    async def deliver() -> bool:
        async with opened.transaction() as session:
            first = await inbox.first_time(session, listener="mail", message_id=message_id)
            await asyncio.sleep(0.05)
            return first

    assert sorted(await asyncio.gather(deliver(), deliver())) == [False, True]


async def test_old_marks_are_forgotten_in_batches(opened: Database) -> None:
    inbox = Inbox(INBOX)
    async with opened.transaction() as session:
        for _ in range(5):
            await inbox.first_time(session, listener="mail", message_id=new_message_id())
    later = datetime.now(UTC) + timedelta(hours=1)
    removed = []
    for _ in range(3):
        async with opened.transaction() as session:
            removed.append(await inbox.sweep(session, older_than=later, limit=3))
    assert removed == [3, 2, 0]
