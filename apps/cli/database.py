"""`gatehouse migrate`: bring the database up to date, as the role that owns the schema."""

import asyncio

from apps.cli.settings import Environment
from apps.cli.terminal import fail, say


def migrate() -> None:
    """Run the migrations on MIGRATION_DATABASE_URL; `up` does it by itself. Repeating it changes nothing."""
    # ruff: ignore[import-outside-top-level]  SQLAlchemy takes a second to load; only this command needs it
    from libs.infra import database, migrations

    environment = Environment.read()
    owner_url = environment.get("MIGRATION_DATABASE_URL")
    service_url = environment.get("DATABASE_URL")
    if owner_url is None:
        fail("MIGRATION_DATABASE_URL: is required: the URL of the role that owns the schemas")
    role = migrations.role_of(service_url or owner_url)
    try:
        asyncio.run(migrations.migrate(owner_url, service_role=role))
    except (database.DatabaseAway, database.DatabaseRefused) as error:
        fail(f"migrate: {error}")
    say("The database is up to date.")
