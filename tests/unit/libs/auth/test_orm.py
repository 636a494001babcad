from __future__ import annotations

from libs.auth.orm import SCHEMA, Base
from libs.auth.repository import Stored


def test_every_table_lies_in_the_schema() -> None:
    assert Stored  # whose repositories bring the tables of their topics
    assert {table.schema for table in Base.metadata.tables.values()} == {SCHEMA}
    assert {table.name for table in Base.metadata.tables.values()} >= {
        "accounts",
        "audit_log",
        "credentials",
        "inbox",
        "letters",
        "mail_requests",
        "outbox",
        "refresh_tokens",
        "sessions",
        "signing_keys",
    }
