"""The door to PostgreSQL against a real server, also through a line that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from libs.infra.database import Database, DatabaseAway, DatabaseRefused, DatabaseSettings
from tests.fixtures.accounts import eventually
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.proxy import Proxy

ONE = text("SELECT 1")
EVENTS = text("SELECT count(*) FROM auth.audit_log")
WRITE = text("INSERT INTO auth.audit_log (id, event) VALUES (gen_random_uuid(), 'test')")


def settings(url: str, **values: float) -> DatabaseSettings:
    return DatabaseSettings.model_validate({"url": SecretStr(url), **values})


@pytest.fixture
async def opened(database: MigratedDatabase) -> AsyncIterator[Database]:
    made = await Database.open(settings(database.url), application="tests")
    yield made
    await made.close()


@pytest.fixture
async def hasty(database: MigratedDatabase) -> AsyncIterator[Database]:
    """One that gives a statement two seconds."""
    made = await Database.open(settings(database.url, statement_timeout=2), application="tests")
    yield made
    await made.close()


async def events(database: Database) -> int:
    async with database.statements() as session:
        return int(await session.scalar(EVENTS) or 0)


async def answers(database: Database) -> bool:
    try:
        await database.check()
    except DatabaseAway:
        return False
    return True


class TestTransaction:
    async def test_commits_at_the_end_of_the_block(self, opened: Database) -> None:
        async with opened.transaction() as session:
            await session.execute(WRITE)
        assert await events(opened) == 1

    async def test_an_error_undoes_everything(self, opened: Database) -> None:
        async def fail() -> None:
            async with opened.transaction() as session:
                await session.execute(WRITE)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        assert await events(opened) == 0

    async def test_a_cancellation_undoes_everything(self, opened: Database) -> None:
        written = asyncio.Event()

        async def stall() -> None:
            async with opened.transaction() as session:
                await session.execute(WRITE)
                written.set()
                await asyncio.Event().wait()

        stalling = asyncio.create_task(stall())
        await written.wait()
        stalling.cancel()
        await asyncio.wait([stalling])
        assert await events(opened) == 0

    async def test_a_mistake_in_a_statement_is_no_absence(self, opened: Database) -> None:
        with pytest.raises(ProgrammingError):
            async with opened.transaction() as session:
                await session.execute(text("SELECT * FROM nowhere"))


class TestReading:
    async def test_each_statement_is_a_transaction_of_its_own(self, opened: Database) -> None:
        async with opened.statements() as session:
            await session.execute(WRITE)
            assert await events(opened) == 1


class TestRows:
    async def test_each_statement_is_a_transaction_of_its_own(self, opened: Database) -> None:
        async with opened.rows() as connection:
            await connection.execute(WRITE)
            assert await events(opened) == 1

    async def test_what_passes_by_itself_is_named_so(self, hasty: Database) -> None:
        with pytest.raises(DatabaseAway):
            async with hasty.rows() as connection:
                await connection.execute(text("SELECT pg_sleep(30)"))
        with pytest.raises(ProgrammingError):
            async with hasty.rows() as connection:
                await connection.execute(text("SELECT * FROM nowhere"))
        await hasty.check()

    async def test_a_server_that_is_silent_or_gone_is_given_up(self, database: MigratedDatabase) -> None:
        async def one(opened: Database) -> object:
            async with opened.rows() as connection:
                return await connection.scalar(ONE)

        async with Proxy.to(database.url) as proxy:
            quick = settings(proxy.url(database.url), statement_timeout=1, connect_timeout=1)
            opened = await Database.open(quick, application="tests")
            proxy.swallow = True
            for _ in range(3):
                with pytest.raises(DatabaseAway):
                    await one(opened)
            proxy.swallow = False
            await eventually(lambda: answers(opened))
            assert await one(opened) == 1
            proxy.refuse = True
            proxy.cut()
            with pytest.raises(DatabaseAway):
                await one(opened)
            await opened.close()


class TestBounds:
    async def test_who_waits_for_a_connection_is_not_overtaken(self, database: MigratedDatabase) -> None:
        opened = await Database.open(settings(database.url, pool_size=4), application="tests")
        async with opened.statements() as one, opened.statements() as two:
            await asyncio.gather(one.execute(ONE), two.execute(ONE))  # both connections stand
        had: list[int] = []

        async def ask(number: int) -> None:
            for _ in range(20):
                before = len(had)
                async with opened.statements() as session:
                    await session.connection()
                    meanwhile = had[before:]
                    had.append(number)
                    await session.execute(ONE)
                assert len(meanwhile) == len(set(meanwhile))  # nobody had two turns while this one waited

        await asyncio.gather(*(ask(number) for number in range(8)))
        await opened.close()

    async def test_a_statement_that_takes_too_long_is_given_up(self, hasty: Database) -> None:
        with pytest.raises(DatabaseAway):
            async with hasty.statements() as session:
                await session.execute(text("SELECT pg_sleep(30)"))
        await hasty.check()

    async def test_nobody_waits_for_ever_for_a_connection(self, database: MigratedDatabase) -> None:
        small = settings(database.url, pool_size=4, connect_timeout=1)
        crowded = await Database.open(small, application="tests")
        async with crowded.statements() as one, crowded.statements() as two:
            await one.execute(ONE)
            await two.execute(ONE)
            with pytest.raises(DatabaseAway):
                await crowded.check()
            async with crowded.transaction() as changing:  # which waits for no reader
                await changing.execute(ONE)
        await crowded.check()
        await crowded.close()

    async def test_a_silent_server_is_given_up(self, database: MigratedDatabase) -> None:
        async with Proxy.to(database.url) as proxy:
            quick = settings(proxy.url(database.url), statement_timeout=1, connect_timeout=1)
            opened = await Database.open(quick, application="tests")
            proxy.swallow = True
            async with asyncio.timeout(30):
                with pytest.raises(DatabaseAway):
                    await opened.check()
                with pytest.raises(DatabaseAway):
                    await opened.check()
            proxy.swallow = False
            await eventually(lambda: answers(opened))
            await opened.close()


class TestAway:
    async def test_a_server_that_is_not_there(self) -> None:
        with pytest.raises(DatabaseAway):
            await Database.open(
                settings("postgresql://ann:secret@127.0.0.1:1/gatehouse"), application="tests"
            )

    async def test_a_server_that_does_not_let_us_in(self, database: MigratedDatabase) -> None:
        stranger = database.url.replace("//", "//stranger_", 1)
        with pytest.raises(DatabaseRefused) as refused:
            await Database.open(settings(stranger), application="tests")
        assert "\n" not in str(refused.value)

    async def test_a_schema_that_was_never_migrated(self, opened: Database) -> None:
        await opened.expect_schema("auth")
        with pytest.raises(DatabaseRefused, match="gatehouse migrate"):
            await opened.expect_schema("shop")

    async def test_connections_that_were_cut_are_replaced(self, database: MigratedDatabase) -> None:
        async with Proxy.to(database.url) as proxy:
            opened = await Database.open(settings(proxy.url(database.url)), application="tests")
            async with opened.statements() as one, opened.statements() as two:
                await one.execute(ONE)
                await two.execute(ONE)
            proxy.cut()
            await eventually(lambda: answers(opened))
            async with opened.statements() as one, opened.statements() as two:
                await one.execute(ONE)
                await two.execute(ONE)
            await opened.close()

    async def test_no_secret_is_told(self, database: MigratedDatabase) -> None:
        secret = SecretStr(database.url)
        opened = Database(DatabaseSettings(url=secret), application="tests")
        password = database.url.split(":")[2].split("@")[0]
        assert password not in repr(vars(opened))
        with pytest.raises(ProgrammingError) as wrong:
            async with opened.statements() as session:
                await session.execute(text("SELECT :hash FROM nowhere"), {"hash": "$argon2id$topsecret"})
        assert "topsecret" not in str(wrong.value)
        await opened.close()


class TestNotifications:
    async def test_each_notify_is_heard_and_a_cut_line_is_noticed(self, database: MigratedDatabase) -> None:
        heard = asyncio.Event()
        async with Proxy.to(database.url) as proxy:
            opened = await Database.open(settings(proxy.url(database.url)), application="tests")
            async with opened.notifications("news", heard.set) as gone:
                async with opened.transaction() as session:
                    await session.execute(text("SELECT pg_notify('news', '')"))
                async with asyncio.timeout(30):
                    await heard.wait()
                    proxy.cut()
                    await gone.wait()
            await opened.close()

    async def test_they_need_a_server(self) -> None:
        opened = Database(settings("postgresql://ann:secret@127.0.0.1:1/gatehouse"), application="tests")
        with pytest.raises(DatabaseAway):
            async with opened.notifications("news", lambda: None):
                pass
        await opened.close()
