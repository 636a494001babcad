"""Migrations against a real PostgreSQL, as the two roles."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from libs.auth.orm import SCHEMA, Base
from libs.infra.database import Database, DatabaseAway, DatabaseRefused, DatabaseSettings, owner_connection
from libs.infra.migrations import migrate, role_of, schemas
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.services import SessionServices


@pytest.fixture
def bare(services: SessionServices) -> Iterator[MigratedDatabase]:
    """A database that nobody has migrated."""
    postgres = services.postgres
    postgres.create_database("bare")
    yield MigratedDatabase("bare", postgres.database_url("bare"), postgres.migration_database_url("bare"))
    postgres.drop_database("bare")


async def test_two_at_once_make_one_schema(bare: MigratedDatabase) -> None:
    role = role_of(bare.url)
    await asyncio.gather(*(migrate(bare.owner_url, service_role=role) for _ in range(2)))
    database = await Database.open(DatabaseSettings(url=SecretStr(bare.url)), application="tests")
    await database.expect_schema(SCHEMA)
    await database.close()


async def test_a_second_time_changes_nothing(database: MigratedDatabase) -> None:
    async def tables() -> list[Any]:
        async with owner_connection(database.owner_url) as connection:
            found = await connection.execute(
                text(
                    "SELECT oid, relname, relacl::text FROM pg_class WHERE relnamespace = 'auth'::regnamespace"
                )
            )
            return sorted(tuple(row) for row in found)

    before = await tables()
    await migrate(database.owner_url, service_role=role_of(database.url))
    assert await tables() == before


async def test_the_tables_are_those_of_the_code(database: MigratedDatabase) -> None:
    def differences(connection: Connection) -> list[Any]:
        options = {
            "include_schemas": True,
            "compare_server_default": True,
            "version_table_schema": SCHEMA,
            "include_name": lambda name, kind, _: name == SCHEMA if kind == "schema" else True,
        }
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, Base.metadata))

    async with owner_connection(database.owner_url) as connection:
        assert await connection.run_sync(differences) == []


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE auth.mine (id int)",
        "ALTER TABLE auth.accounts ADD COLUMN mine int",
        "DROP TABLE auth.accounts",
        "TRUNCATE auth.accounts",
        "CREATE SCHEMA mine",
        "UPDATE auth.alembic_version SET version_num = 'mine'",
    ],
)
async def test_the_services_role_cannot_change_the_schema(database: MigratedDatabase, statement: str) -> None:
    opened = await Database.open(DatabaseSettings(url=SecretStr(database.url)), application="tests")
    with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
        async with opened.transaction() as session:
            await session.execute(text(statement))
    await opened.close()


async def test_the_owner_may_be_the_services_role(bare: MigratedDatabase) -> None:
    for _ in range(2):
        await migrate(bare.owner_url, service_role=role_of(bare.owner_url))


async def test_a_server_that_is_not_there_is_away() -> None:
    with pytest.raises(DatabaseAway):
        await migrate("postgresql://ann:secret@127.0.0.1:1/gatehouse")


async def test_a_role_that_owns_nothing_is_refused_and_leaves_nothing(bare: MigratedDatabase) -> None:
    with pytest.raises(DatabaseRefused):
        await migrate(bare.url)


def test_every_schema_has_migrations() -> None:
    assert schemas() == [SCHEMA]
