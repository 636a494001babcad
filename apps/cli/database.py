"""`gatehouse migrate`: bring the database up to date, as the role that owns the schema."""

import asyncio
import time

from apps.cli.record import operator_variables
from apps.cli.terminal import fail, say

_PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 2.0


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
    named = "DATABASE_URL" if owner_url == variables.get("DATABASE_URL") else "MIGRATION_DATABASE_URL"
    role = migrations.role_of(variables.get("DATABASE_URL", owner_url))
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            asyncio.run(migrations.migrate(owner_url, service_role=role))
        except database.DatabaseAway as error:
            if time.monotonic() > deadline:
                fail(f"{named}: {error}")
            say(f"{named}: {error}; trying again")
            time.sleep(_PAUSE_SECONDS)
        except database.DatabaseRefused as error:
            fail(f"{named}: {error}")
        else:
            break
    say("The database is up to date.")
