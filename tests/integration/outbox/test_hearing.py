"""A listener in the inbox, over RabbitMQ and PostgreSQL: an event that comes twice has its effects once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from libs.auth.orm import INBOX, OUTBOX
from libs.infra.database import Database, DatabaseSettings
from libs.messaging import Event, EventMessage, Listeners, Reply, current_caller, new_message_id
from libs.messaging.rabbitmq import RabbitBus
from libs.messaging.settings import BrokerSettings
from libs.messaging.topology import heard
from libs.outbox import Inbox, Outbox
from tests.fixtures.accounts import eventually
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.services import Vhost


class Joined(Reply):
    account_id: UUID


JOINED = Event("club.joined", Joined)
WELCOMED = Event("club.welcomed", Joined)


class Welcome:
    """Tells of a welcome for each account that joined; its effect is a row of the outbox."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._inbox = Inbox(INBOX)
        self._outbox = Outbox(OUTBOX, relayed=False)
        self.runs = 0
        self.fails = 0
        """How often it breaks down from now on, when all is done but the commit."""

    async def joined(self, event: Joined) -> None:
        message_id = current_caller().request_id
        async with self._database.transaction() as session:
            if await self._inbox.first_time(session, listener="welcome", message_id=message_id):
                await self._welcome(session, event)
        self.runs += 1

    async def _welcome(self, session: AsyncSession, event: Joined) -> None:
        await self._outbox.add(session, EventMessage.of(WELCOMED, event))
        if self.fails:
            self.fails -= 1
            raise RuntimeError("the pen broke")


class Club:
    """The service, and whoever tells it something."""

    def __init__(self, database: Database, bus: RabbitBus) -> None:
        self.welcome = Welcome(database)
        self.bus = bus
        self._database = database

    async def open(self) -> None:
        table = Listeners("club")
        table.on(JOINED, self.welcome.joined)
        await self.bus.declare(heard(table))
        await self.bus.subscribe(table)

    def message(self) -> EventMessage:
        return EventMessage.of(JOINED, Joined(account_id=UUID(new_message_id())))

    async def welcomed(self) -> int:
        async with self._database.statements() as session:
            found = await session.execute(
                text("SELECT count(*) FROM auth.outbox WHERE name = 'club.welcomed'")
            )
            return int(found.scalar_one())


@pytest.fixture
async def club(vhost: Vhost, database: MigratedDatabase) -> AsyncIterator[Club]:
    opened = await Database.open(DatabaseSettings(url=SecretStr(database.url)), application="tests")
    bus = await RabbitBus.open(BrokerSettings.model_validate({"url": vhost.url}), name="club")
    club = Club(opened, bus)
    await club.open()
    yield club
    await bus.close()
    await opened.close()


async def test_an_event_that_comes_twice_has_its_effect_once(club: Club) -> None:
    message = club.message()
    for _ in range(3):
        await club.bus.send(message)
    await eventually(lambda: club.welcome.runs == 3)
    assert await club.welcomed() == 1


async def test_two_events_of_the_same_content_are_two(club: Club) -> None:
    for message in (club.message(), club.message()):
        await club.bus.send(message)
    await eventually(lambda: club.welcome.runs == 2)
    assert await club.welcomed() == 2


async def test_an_effect_that_was_undone_is_had_when_the_event_comes_again(club: Club) -> None:
    club.welcome.fails = 1
    message = club.message()
    await club.bus.send(message)
    await eventually(lambda: not club.welcome.fails)
    assert await club.welcomed() == 0
    await club.bus.send(message)
    await eventually(lambda: club.welcome.runs == 1)
    assert await club.welcomed() == 1
