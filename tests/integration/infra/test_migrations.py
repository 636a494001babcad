"""Migrations against a real PostgreSQL, as the two roles."""

from __future__ import annotations

import asyncio
import runpy
from collections.abc import Iterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from pydantic import SecretStr
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from libs.auth.orm import SCHEMA, Base
from libs.infra.database import Database, DatabaseAway, DatabaseRefused, DatabaseSettings, owner_connection
from libs.infra.migrations import migrate, role_of, schemas
from tests.fixtures.database import MigratedDatabase
from tests.fixtures.services import SessionServices

ACCOUNT = text(
    "INSERT INTO auth.accounts (id, email, email_key, status, created_at, updated_at)"
    " VALUES (gen_random_uuid(), :key, :key, 'active', clock_timestamp(), now())"
)


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


def ascii_domains(connection: Connection) -> None:
    """Runs the one migration, on whatever is there."""
    with Operations.context(MigrationContext.configure(connection)):
        runpy.run_path("migrations/auth/0008_ascii_domains.py")["upgrade"]()


async def known_as(database: MigratedDatabase, *keys: str) -> list[str]:
    """What the migration makes of the keys of accounts."""
    async with owner_connection(database.owner_url) as connection:
        for key in keys:
            await connection.execute(ACCOUNT, {"key": key})
        await connection.run_sync(ascii_domains)
        return list(await connection.scalars(text("SELECT email_key FROM auth.accounts ORDER BY created_at")))


async def test_a_domain_in_unicode_becomes_ascii(database: MigratedDatabase) -> None:
    keys = (
        "a@xn--e1afmkfd.xn--p1ai",
        "ж@пример.рф",
        "ä@example.com",
        "a@\U0001f642.example",
        "b@faß.example",
    )
    assert await known_as(database, *keys) == [
        "a@xn--e1afmkfd.xn--p1ai",
        "ж@xn--e1afmkfd.xn--p1ai",
        "ä@example.com",
        "a@\U0001f642.example",
        "b@xn--fa-hia.example",
    ]


async def test_two_accounts_of_one_address_stop_it(database: MigratedDatabase) -> None:
    with pytest.raises(RuntimeError, match="one address"):
        await known_as(database, "a@xn--e1afmkfd.xn--p1ai", "a@пример.рф")


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
