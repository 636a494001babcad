"""`gatehouse migrate`: bring the database up to date, as the role that owns the schema."""

import asyncio

from apps.cli.record import operator_variables
from apps.cli.terminal import fail, say


def migrate() -> None:
    """Bring the database up to date; `up` does it by itself. Repeating it changes nothing."""
    # ruff: ignore[import-outside-top-level]  SQLAlchemy takes a second to load; only this command needs it
    from libs.infra import database, migrations

    variables = operator_variables()
    owner_url = variables.get("MIGRATION_DATABASE_URL")
    if owner_url is None:
        fail(
            "MIGRATION_DATABASE_URL: is required while Gatehouse does not run: the role that owns the schemas"
        )
    role = migrations.role_of(variables.get("DATABASE_URL", owner_url))
    try:
        asyncio.run(migrations.migrate(owner_url, service_role=role))
    except (database.DatabaseAway, database.DatabaseRefused) as error:
        fail(f"migrate: {error}")
    say("The database is up to date.")
