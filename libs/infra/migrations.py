"""Bringing a database up to date: the migrations of every schema, and the rights of the services' role.

Each schema has a folder in `migrations/`, a branch and a version table of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from alembic import command
from alembic.config import Config
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy import Connection, make_url, text

from libs.infra.database import owner_connection
from libs.infra.postgres_url import postgres_url

_MIGRATIONS = Path(__file__).parents[2] / "migrations"
_LOCK = 0x6761746568  # two migrations at once wait for each other on this advisory lock


class MigrationSettings(BaseModel):
    """How `gatehouse migrate` reaches PostgreSQL."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    url: Annotated[SecretStr, AfterValidator(postgres_url)] = Field(
        validation_alias="MIGRATION_DATABASE_URL",
        description="`postgresql://user:password@host:port/database` of the role that owns the schemas.",
    )
    service_url: Annotated[SecretStr, AfterValidator(postgres_url)] = Field(
        validation_alias="DATABASE_URL",
        description="The URL that the services use: its role may read and write rows, and nothing else.",
    )


def schemas() -> list[str]:
    """The schemas that have migrations."""
    return sorted(folder.name for folder in _MIGRATIONS.iterdir() if any(folder.glob("[0-9]*.py")))


def role_of(url: str) -> str:
    """The role that a database URL names."""
    return make_url(url).username or ""


async def migrate(owner_url: str, *, service_role: str = "") -> None:
    """Bring every schema to its newest version, all or none; a second call changes nothing.

    ``service_role`` gets the rights to read and write rows. Raises `DatabaseAway` or `DatabaseRefused`.
    """
    async with owner_connection(owner_url) as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        for schema in schemas():
            await connection.run_sync(_upgrade, schema)
            if service_role not in {"", role_of(owner_url)}:
                await connection.run_sync(_grant, schema, service_role)


def _upgrade(connection: Connection, schema: str) -> None:
    quoted = connection.dialect.identifier_preparer.quote(schema)
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {quoted}"))
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("version_locations", str(_MIGRATIONS / schema))
    config.set_main_option("path_separator", "newline")
    config.attributes.update(connection=connection, schema=schema)
    command.upgrade(config, "head")


def _grant(connection: Connection, schema: str, role: str) -> None:
    quote = connection.dialect.identifier_preparer.quote
    tables, user = quote(schema), quote(role)
    for statement in (
        f"GRANT USAGE ON SCHEMA {tables} TO {user}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {tables} TO {user}",
        f"REVOKE INSERT, UPDATE, DELETE ON {tables}.alembic_version FROM {user}",
    ):
        connection.execute(text(statement))
