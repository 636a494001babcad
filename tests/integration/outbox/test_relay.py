"""The outbox and its relay against a real PostgreSQL, over a bus that does as it is told."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from typing_extensions import override

from libs.auth import OUTBOX
from libs.infra.database import Database, DatabaseAway, DatabaseSettings
from libs.messaging import EventMessage, Overloaded, Unavailable
from libs.messaging.memory import MemoryBus
from libs.outbox import Claim, Outbox, OutboxSettings, Relay
from tests.fixtures.accounts import eventually
from tests.fixtures.database import MigratedDatabase

SELDOM = OutboxSettings(poll_interval=60)
OFTEN = OutboxSettings(poll_interval=0.1)


class ObedientBus(MemoryBus):
    """Confirms what it is sent, unless told otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.refuses: set[str] = set()
        self.holds: asyncio.Event | None = None
        self.sent: list[EventMessage] = []
        self.given_up = 0
        """How many that were held nobody waits for any more."""

    @property
    @override
    def connected(self) -> bool:
        return not self.away

    @override
    async def send(self, message: EventMessage) -> None:
        if self.away:
            raise Unavailable
        if message.name in self.refuses:
            raise Overloaded
        if message.name == "test.poison":
            raise ValueError(message.name)
        if self.holds is not None and message.name == "test.held":
            try:
                await self.holds.wait()
            except asyncio.CancelledError:
                self.given_up += 1
                raise
        self.sent.append(message)

    @property
    def names(self) -> list[str]:
        return [message.name for message in self.sent]


class Process:
    """One process with an outbox and a relay."""

    def __init__(self, database: Database, settings: OutboxSettings) -> None:
        self.database = database
        self.bus = ObedientBus()
        self.outbox = Outbox(OUTBOX, relayed=True)
        self.relay = Relay(self.outbox, database, self.bus, settings)

    async def commit(self, *names: str, urgent: bool = False) -> list[asyncio.Future[None]]:
        async with self.database.transaction() as session:
            return [await self.outbox.add(session, event(name), urgent=urgent) for name in names]

    async def unsent(self) -> int:
        async with self.database.statements() as session:
            return int(
                await session.scalar(text("SELECT count(*) FROM auth.outbox WHERE sent_at IS NULL")) or 0
            )

    async def all_marked(self) -> bool:
        return await self.unsent() == 0


def event(name: str) -> EventMessage:
    return EventMessage(name, b"{}")


@asynccontextmanager
async def process(
    url: str, settings: OutboxSettings = OFTEN, *, started: bool = True
) -> AsyncGenerator[Process]:
    database = await Database.open(DatabaseSettings(url=SecretStr(url)), application="tests")
    one = Process(database, settings)
    if started:
        one.relay.start()
    try:
        yield one
    finally:
        await one.relay.stop()
        await database.close()


@pytest.fixture
async def one(database: MigratedDatabase) -> AsyncIterator[Process]:
    async with process(database.url) as made:
        yield made


async def test_what_was_committed_is_told_with_everything_the_wire_needs(one: Process) -> None:
    message = EventMessage(
        "realtime.news.posted", b'{"a": 1}', channel="public:news", mandatory=True, traceparent="00-a-b-01"
    )
    async with one.database.transaction() as session:
        told = await one.outbox.add(session, message)
    async with asyncio.timeout(30):
        await told
    (sent,) = one.bus.sent
    assert (sent.name, sent.body, sent.channel) == (message.name, message.body, message.channel)
    assert (sent.mandatory, sent.message_id, sent.traceparent) == (True, message.message_id, "00-a-b-01")
    assert abs(sent.timestamp - message.timestamp) < 60
    await one.relay.stop()
    assert await one.unsent() == 0


async def test_what_was_rolled_back_never_happened(one: Process) -> None:
    async def fail() -> None:
        async with one.database.transaction() as session:
            await one.outbox.add(session, event("test.undone"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    await one.commit("test.done")
    await eventually(lambda: one.bus.names == ["test.done"])


async def test_a_commit_wakes_the_relay_of_its_process(database: MigratedDatabase) -> None:
    async with process(database.url, SELDOM) as one:
        (told,) = await one.commit("test.done")
        async with asyncio.timeout(30):
            await told


async def test_a_commit_elsewhere_wakes_the_relay_by_notify(database: MigratedDatabase) -> None:
    async with process(database.url, SELDOM) as one:
        await one.commit("test.first")
        await eventually(lambda: one.bus.names == ["test.first"])
        await eventually(lambda: _listens(one))
        command = Outbox(OUTBOX, relayed=False)
        async with one.database.transaction() as session:
            await command.add(session, event("test.done"), urgent=True)
        await eventually(lambda: one.bus.names == ["test.first", "test.done"])


async def _listens(one: Process) -> bool:
    async with one.database.statements() as session:
        found = await session.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE 'LISTEN%' AND state = 'idle'"
            )
        )
    return bool(found)


async def test_events_are_told_in_the_order_of_their_commits(one: Process) -> None:
    names = [f"test.number{number}" for number in range(250)]
    for name in names:
        await one.commit(name)
    await eventually(lambda: len(one.bus.sent) == 250)
    assert one.bus.names == names


async def test_events_wait_for_a_broker_that_is_away(one: Process) -> None:
    one.bus.away = True
    await one.commit("test.first", "test.second")
    await asyncio.sleep(0.3)
    assert one.bus.sent == []
    one.bus.away = False
    await eventually(lambda: one.bus.names == ["test.first", "test.second"])


async def test_events_that_come_close_together_are_told_together(database: MigratedDatabase) -> None:
    class Counting(Outbox):
        passes = 0

        @override
        @asynccontextmanager
        async def claim(self, database: Database, *, urgent: bool, limit: int) -> AsyncGenerator[Claim]:
            self.passes += not urgent
            async with super().claim(database, urgent=urgent, limit=limit) as claim:
                yield claim

    async with process(database.url, SELDOM, started=False) as one:
        one.outbox = outbox = Counting(OUTBOX, relayed=True)
        one.relay = Relay(outbox, one.database, one.bus, SELDOM).start()
        begin = time.monotonic()
        for number in range(40):
            (told,) = await one.commit(f"test.{number}")
        async with asyncio.timeout(30):
            await told
        tenths = (time.monotonic() - begin) / 0.1
        assert outbox.passes <= tenths + 3
        await one.relay.stop()
        assert await one.unsent() == 0


async def test_urgent_events_wait_behind_nobody(database: MigratedDatabase) -> None:
    patient = OutboxSettings(poll_interval=0.1, confirm_timeout=5)
    async with process(database.url, patient) as one:
        one.bus.holds = asyncio.Event()
        await one.commit(*["test.held"] * 150)
        (told,) = await one.commit("test.urgent", urgent=True)
        async with asyncio.timeout(30):
            await told
        assert one.bus.names == ["test.urgent"]
        assert one.bus.given_up == 0  # the others still wait for their confirms
        one.bus.holds.set()
        await eventually(lambda: len(one.bus.sent) == 151)


async def test_an_event_that_is_refused_waits_and_the_others_go(one: Process) -> None:
    one.bus.refuses = {"test.refused"}
    await one.commit("test.refused", "test.second")
    await eventually(lambda: one.bus.names == ["test.second"])

    async def postponed() -> bool:
        async with one.database.statements() as session:
            waiting = text(
                "SELECT attempts, not_before > now() AS later FROM auth.outbox WHERE sent_at IS NULL"
            )
            return [tuple(row) for row in await session.execute(waiting)] == [(1, True)]

    await eventually(postponed)
    one.bus.refuses = set()
    await eventually(lambda: one.bus.names == ["test.second", "test.refused"])


async def test_an_event_that_cannot_be_sent_stands_in_nobodys_way(one: Process) -> None:
    await one.commit("test.poison", "test.second")
    await one.commit("test.third")
    await eventually(lambda: one.bus.names == ["test.second", "test.third"])
    assert await one.unsent() >= 1


async def test_two_relays_tell_each_event_once(database: MigratedDatabase) -> None:
    async with process(database.url) as one, process(database.url) as two:
        for number in range(100):
            await (one if number % 2 else two).commit(f"test.number{number}")
        await eventually(lambda: len(one.bus.sent) + len(two.bus.sent) >= 100)
        assert sorted(one.bus.names + two.bus.names) == sorted(
            f"test.number{number}" for number in range(100)
        )


async def test_a_fresh_event_is_left_to_its_own_process(database: MigratedDatabase) -> None:
    async with process(database.url, started=False) as own, process(database.url, started=False) as other:
        await own.commit("test.done")
        claims = []
        for age in (timedelta(hours=-1), timedelta(seconds=1)):
            async with own.database.transaction() as session:
                await session.execute(
                    text("UPDATE auth.outbox SET created_at = now() - CAST(:age AS interval)"),
                    {"age": age},
                )
            for one in (other, own):
                async with one.outbox.claim(one.database, urgent=False, limit=10) as claim:
                    claims.append(len(claim.messages))
        assert claims == [0, 1, 1, 1]


async def test_a_stopping_relay_tells_what_waits(database: MigratedDatabase) -> None:
    async with process(database.url, SELDOM) as one:
        await asyncio.sleep(0.05)
        await one.commit(*["test.done"] * 250)
        await one.relay.stop()
        assert len(one.bus.sent) == 250


async def test_the_relay_outlives_its_connections(one: Process) -> None:
    await one.commit("test.first")
    await eventually(lambda: one.bus.names == ["test.first"])
    await eventually(one.all_marked)  # else it would be told again
    async with one.database.statements() as session:
        await session.execute(
            text(  # each is gone when the statement ends, so that none dies in the middle of what follows
                "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'tests' AND pid <> pg_backend_pid()"
            )
        )

    async def committed() -> bool:
        with suppress(DatabaseAway):  # a connection may be cut in the middle of the request
            await one.commit("test.second")
            return True
        return False

    await eventually(committed)
    await eventually(lambda: one.bus.names == ["test.first", "test.second"])


_DIES = """
import asyncio, os, signal, sys
from pydantic import SecretStr
from libs.auth import OUTBOX
from libs.infra.database import Database, DatabaseAway, DatabaseSettings
from libs.messaging import EventMessage
from libs.outbox import Outbox

async def main():
    database = await Database.open(DatabaseSettings(url=SecretStr(sys.argv[1])), application="dies")
    outbox = Outbox(OUTBOX, relayed=True)
    async with database.transaction() as session:
        for number in range(10):
            await outbox.add(session, EventMessage(f"test.number{number}", b"{}"))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_a_process_killed_between_commit_and_publish_loses_nothing(database: MigratedDatabase) -> None:
    dying = await asyncio.create_subprocess_exec(sys.executable, "-c", _DIES, database.url)
    async with asyncio.timeout(30):
        assert await dying.wait() == -signal.SIGKILL
    async with process(database.url) as other:
        await eventually(lambda: len(other.bus.sent) == 10)
        assert other.bus.names == [f"test.number{number}" for number in range(10)]
